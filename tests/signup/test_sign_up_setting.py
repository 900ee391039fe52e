"""SIGN_UP: open, only with a code of a user, or off. Every way in obeys it."""

from typing import Any

import pytest

from asgi import replaced
from people import PASSWORD, make_code
from second_service import second_service
from sweeps import Sweep
from third_party import Browser

pytestmark = pytest.mark.one_database

PAGE = {"Accept": "text/html"}
BOB = {"email": "bob@example.com", "password": PASSWORD}


@pytest.fixture
async def code(alice):
    return (await make_code(alice))["code"]


@pytest.fixture(params=["code", "off"])
def sign_up(app, request):
    settings = app.state.services.settings.model_copy(update={"sign_up": request.param})
    with replaced(app, settings=settings):
        yield request.param


async def count_users(rows):
    return (await rows("SELECT count(*) FROM users"))[0][0]


async def test_the_api_refuses_a_registration_without_a_code(api, alice, sign_up, rows):
    answer = await api.post("/api/v1/users", json=BOB)

    found = answer.json()
    if sign_up == "off":
        assert (answer.status_code, found["code"]) == (403, "sign_up_closed")
    else:
        assert (answer.status_code, found["code"]) == (422, "code_required")
        assert [error["field"] for error in found["errors"]] == ["body.referral_code"]
    assert await count_users(rows) == 1


async def test_the_api_accepts_a_code_unless_sign_up_is_off(api, code, sign_up, rows):
    answer = await api.post("/api/v1/users", json={**BOB, "referral_code": code})

    assert answer.status_code == (403 if sign_up == "off" else 201)


async def test_the_form_obeys_also_on_the_way_to_an_app(api, app, code, sign_up, rows):
    browser = Browser(api)
    origin = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin", **PAGE}
    data = {**BOB, "next": "/oauth/authorize?client_id=x"}
    refused = await api.post("/sign-up", data=data, headers=origin)
    page = await api.get("/sign-up", headers=PAGE)
    sign_in = await api.get("/sign-in", headers=PAGE)

    assert await count_users(rows) == 1
    if sign_up == "off":
        assert (refused.status_code, page.status_code) == (403, 403)
        assert "Sign-up is closed" in refused.text
        assert '<form method="post" action="/sign-up"' not in page.text
        assert "/sign-up" not in sign_in.text
    else:
        assert "You need a friend’s referral code" in refused.text
        assert "/sign-up" in sign_in.text
        joined = await browser.send(page, email=BOB["email"], password=PASSWORD, referral_code=code)
        assert joined.status_code == 303


async def test_an_invitation_leads_to_the_product_if_sign_up_is_off(alice, database_url, tmp_path):
    code = (await make_code(alice))["code"]
    settings: dict[str, Any] = {"sign_up": "off", "brand_name": "Acme", "brand_url": "https://acme.example"}
    async with second_service(database_url, data_dir=tmp_path, **settings) as api:
        page = await api.get(f"/r/{code}")

    assert page.status_code == 200
    assert 'href="https://acme.example">Continue to Acme</a>' in page.text
    assert 'name="password"' not in page.text
    assert "/oauth/sign-in" not in page.text


async def test_a_dead_link_offers_a_sign_up_without_a_code_only_where_it_is_open(database_url, tmp_path):
    settings: dict[str, Any] = {"data_dir": tmp_path}
    with Sweep() as sweep:
        for sign_up in ("open", "code", "off"):
            with sweep.case(sign_up):
                async with second_service(database_url, sign_up=sign_up, **settings) as api:
                    page = await api.get("/r/GONE-2345", headers=PAGE)
                assert page.status_code == 404
                assert ("/sign-up" in page.text.partition("<main")[2]) == (sign_up == "open")


async def test_an_administrator_can_be_created_all_the_same(app, api, sign_up):
    from goodword.admin import service as administration

    services = app.state.services
    async with services.database.transaction() as session:
        user = await administration.create_administrator(
            session, services, email="rita@example.com", password_hash="x"
        )
    assert user.is_admin
