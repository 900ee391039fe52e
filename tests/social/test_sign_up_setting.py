"""Sign-in with a provider creates accounts only as SIGN_UP allows."""

import pytest

from asgi import replaced
from people import make_code, referrals_of
from social.browser import assert_refused, sign_in

pytestmark = pytest.mark.one_database


@pytest.fixture(params=["code", "off"])
def sign_up(service, request):
    settings = service.state.services.settings.model_copy(update={"sign_up": request.param})
    with replaced(service, settings=settings):
        yield request.param


async def test_a_new_user_without_a_code_is_refused(api, provider, bob, sign_up, rows):
    answer = await sign_in(api, provider)

    status, code = (403, "sign_up_closed") if sign_up == "off" else (422, "code_required")
    assert_refused(answer, status, code)
    assert await rows("SELECT count(*) FROM users") == [(1,)]
    assert await rows("SELECT count(*) FROM identities") == [(0,)]


async def test_a_code_opens_the_way_unless_sign_up_is_off(api, provider, bob, sign_up):
    code = (await make_code(bob))["code"]
    answer = await sign_in(api, provider, referral_code=code)

    if sign_up == "off":
        assert_refused(answer, 403, "sign_up_closed")
    else:
        assert answer.status_code == 303
        assert len(await referrals_of(bob)) == 1


async def test_a_user_with_an_account_signs_in(app, api, provider, sign_up):
    own = app.state.services
    with replaced(app, settings=own.settings.model_copy(update={"sign_up": "open"})):
        assert (await sign_in(api, provider)).status_code == 303
    api.cookies.clear()

    assert (await sign_in(api, provider)).status_code == 303
