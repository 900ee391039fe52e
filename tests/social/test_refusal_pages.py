"""Why a sign-in with another account did not come about, as a person reads it in a browser."""

import pytest

from asgi import replaced
from people import make_code
from social.browser import begin, leave, sign_in

pytestmark = pytest.mark.one_database

PERSON = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def assert_page(answer, status, text):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert text in answer.text
    assert 'href="/sign-in' in answer.text
    assert "form-action 'self'" in answer.headers["content-security-policy"]
    assert "set-cookie" not in answer.headers or "goodword=" not in answer.headers["set-cookie"]


async def test_unknown_provider_gets_a_page(api):
    assert_page(
        await api.get("/oauth/sign-in/nobody", headers=PERSON), 404, "This sign-in provider is not available"
    )


async def test_callback_in_another_browser_gets_a_page(api):
    answer = await api.get("/oauth/callback/oidc?state=x&code=y", headers=PERSON)

    assert_page(answer, 400, "started in another browser")


async def test_retired_code_gets_a_page(api, mallory, provider):
    code = await make_code(mallory)
    back = await leave(api, provider, referral_code=code["code"])
    await mallory.delete(f"/api/v1/me/referral-codes/{code['code']}")

    answer = await api.get(back, headers=PERSON)

    assert_page(answer, 422, "This referral code is not valid")
    assert "goodword-flow=" in answer.headers["set-cookie"]


async def test_a_disposable_address_is_refused_like_at_a_registration(service, api, provider, rows):
    settings = service.state.services.settings.model_copy(update={"email_disposable": "refuse"})
    provider.person["email"] = "alice@mailinator.com"
    with replaced(service, settings=settings):
        answer = await api.get(await leave(api, provider), headers=PERSON)

    assert_page(answer, 422, "This address cannot receive e-mail or is temporary")
    assert "goodword-flow=" in answer.headers["set-cookie"]
    assert await rows("SELECT count(*) FROM users") == [(0,)]


async def test_a_disposable_address_of_an_account_may_sign_in(service, api, provider, rows):
    settings = service.state.services.settings.model_copy(update={"email_disposable": "refuse"})
    provider.person["email"] = "alice@mailinator.com"
    await sign_in(api, provider)
    with replaced(service, settings=settings):
        assert (await sign_in(api, provider)).status_code == 303

    assert await rows("SELECT count(*) FROM users") == [(1,)]


async def test_in_the_language_that_was_chosen(api):
    headers = PERSON | {"Cookie": "goodword-language=ru", "Accept-Language": "en"}

    answer = await api.get("/oauth/callback/oidc?state=x&code=y", headers=headers)

    assert_page(answer, 400, "Этот вход начат в другом браузере")


@pytest.mark.parametrize("accept", [None, "*/*", "application/json"])
async def test_a_program_gets_a_problem(api, accept):
    answer = await api.get("/oauth/callback/oidc?state=x", headers={"Accept": accept} if accept else {})

    assert answer.json()["code"] == "state_invalid"


@pytest.mark.parametrize("path", ["/nowhere", "/a/b", "/pages/none.css"])
async def test_unknown_path_gets_a_page(api, path):
    answer = await api.get(path, headers=PERSON)

    assert answer.status_code == 404
    assert "There is no page at this address" in answer.text


async def test_api_answers_a_browser_in_json(api):
    answer = await api.get("/api/v1/me", headers=PERSON)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer realm="goodword"'


async def test_a_new_person_joins_in_the_language_that_was_chosen(api, provider, rows):
    api.cookies.set("goodword-language", "ru", domain="127.0.0.1")

    await api.get(await leave(api, provider))

    assert await rows("SELECT language FROM users") == [("ru",)]
    assert (await begin(api)).status_code == 303
