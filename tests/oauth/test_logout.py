"""GET and POST /oauth/logout (OpenID Connect RP-Initiated Logout 1.0)."""

from urllib.parse import urlencode

import pytest

from asgi import client_of
from goodword.oauth import registration
from goodword.sessions.keys import rotate
from third_party import Browser, register_app

pytestmark = pytest.mark.one_database

HOME = "https://shop.example/bye?from=here"


@pytest.fixture
async def shop(app, api):
    return await register_app(
        app, api, "https://shop.example/callback", name="Shop", post_logout_redirect_uris=[HOME]
    )


@pytest.fixture
async def hint(shop, alices):
    """Alice's ID token."""
    return (await shop.let_in(alices, "openid"))["id_token"]


def url(**parameters):
    return f"/oauth/logout?{urlencode(parameters)}"


async def is_signed_in(browser):
    return (await browser.get("/account")).status_code == 200


def is_error_page(answer):
    return answer.status_code == 400 and "location" not in answer.headers


async def test_an_id_token_proves_whom_to_sign_out(alices, hint):
    answer = await alices.get(url(id_token_hint=hint, post_logout_redirect_uri=HOME, state="a b"))

    assert (answer.status_code, answer.headers["location"]) == (303, f"{HOME}&state=a+b")
    assert not await is_signed_in(alices)


async def test_the_app_gets_nobody_silently_afterwards(shop, alices, hint):
    await alices.get(url(id_token_hint=hint))

    answer = await alices.get(shop.url(scope="openid", prompt="none"))

    assert "error=login_required" in answer.headers["location"]


async def test_the_request_comes_as_a_form_too(alices, hint):
    """From another site: the browser sends no cookies, and redirects to a request with them."""
    data = {"id_token_hint": hint, "post_logout_redirect_uri": HOME, "state": "x"}
    cookies = dict(alices.client.cookies)
    alices.client.cookies.clear()
    answer = await alices.client.post("/oauth/logout", data=data, headers={"Origin": "https://shop.example"})
    alices.client.cookies.update(cookies)

    answer = await alices.get(answer.headers["location"])

    assert answer.headers["location"] == f"{HOME}&state=x"
    assert not await is_signed_in(alices)


async def test_an_expired_id_token_proves_it_too(app, alices, alice, hint, clock):
    async with app.state.services.database.transaction() as session:
        await rotate(session, app.state.services.keys.signing_keys, at_once=False, now=clock())
    clock.forward(days=20)
    await app.state.services.signing_keys.load()

    await alices.get(url(id_token_hint=hint))

    assert not await is_signed_in(alices)


async def test_without_a_proof_the_user_is_asked(shop, alices, hint):
    page = await alices.get(url(client_id=shop.client_id, post_logout_redirect_uri=HOME, logout_hint="alice"))

    assert page.status_code == 200
    assert "Shop" in page.text
    assert "alice@example.com" in page.text
    assert "form-action" not in page.headers["content-security-policy"]  # the form leads to the app
    assert await is_signed_in(alices)
    answer = await alices.send(page, decision="sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, HOME)
    assert not await is_signed_in(alices)


async def test_who_does_not_want_to_stays_signed_in(shop, alices):
    page = await alices.get(url(client_id=shop.client_id, post_logout_redirect_uri=HOME))

    answer = await alices.send(page, decision="stay")

    assert answer.headers["location"] == "/"
    assert await is_signed_in(alices)


async def test_without_an_app_there_is_a_page_at_the_end(alices):
    page = await alices.get("/oauth/logout")
    answer = await alices.send(page, decision="sign-out")

    assert (answer.status_code, "location" in answer.headers) == (200, False)
    assert "You are signed out" in answer.text
    assert not await is_signed_in(alices)


async def test_the_id_token_of_another_user_proves_nothing(app, shop, alices, bob):
    async with client_of(app) as client:
        bobs = Browser(client)
        await bobs.sign_in(bob)
        hint = (await shop.let_in(bobs, "openid"))["id_token"]

    page = await alices.get(url(id_token_hint=hint, post_logout_redirect_uri=HOME))

    assert (page.status_code, await is_signed_in(alices)) == (200, True)


async def test_who_is_signed_out_goes_on_at_once(alices, hint):
    alices.client.cookies.clear()

    answer = await alices.get(url(id_token_hint=hint, post_logout_redirect_uri=HOME))

    assert answer.headers["location"] == HOME
    assert "You are signed out" in (await alices.get("/oauth/logout")).text


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        HOME + "&more=1",
        "https://shop.example/bye",
        "https://shop.example/callback",
        "http://shop.example/bye?from=here",
        "javascript:alert(1)",
    ],
)
async def test_nobody_is_sent_to_an_address_that_is_not_registered(shop, alices, hint, address):
    for known in ({"id_token_hint": hint}, {"client_id": shop.client_id}):
        assert is_error_page(await alices.get(url(post_logout_redirect_uri=address, **known)))
    assert await is_signed_in(alices)


async def test_an_address_without_an_app_leads_nowhere(shop, alices):
    page = await alices.get(url(post_logout_redirect_uri=HOME))
    answer = await alices.send(page, decision="sign-out")

    assert "location" not in answer.headers


async def test_a_wrong_hint_is_an_error(shop, rival, alices, hint, alice):
    wrong = [
        {"id_token_hint": "nonsense"},
        {"id_token_hint": hint[:-8] + "AAAAAAAA"},
        {"id_token_hint": alice.tokens["access_token"]},
        {"id_token_hint": hint, "client_id": rival.client_id},
    ]

    for parameters in wrong:
        assert is_error_page(await alices.get(url(post_logout_redirect_uri=HOME, **parameters)))
    assert is_error_page(await alices.get(url(state="x") + "&state=y"))
    assert await is_signed_in(alices)


async def test_a_disabled_app_sends_nobody_anywhere(app, shop, alices, hint):
    async with app.state.services.database.transaction() as session:
        await registration.disable(session, shop.client_id, now=app.state.services.clock())

    answer = await alices.get(url(id_token_hint=hint, post_logout_redirect_uri=HOME))

    assert "location" not in answer.headers


async def test_other_content_than_a_form_is_an_error(alices, hint):
    assert is_error_page(await alices.client.post("/oauth/logout", json={"id_token_hint": hint}))


async def test_a_form_that_fits_no_address_is_an_error(alices, hint):
    data = {"id_token_hint": hint, "state": "x" * 4096}

    assert is_error_page(await alices.client.post("/oauth/logout", data=data))


async def test_a_page_of_a_session_that_has_ended_leads_to_the_app(alices, hint, shop):
    page = await alices.get(url(client_id=shop.client_id, post_logout_redirect_uri=HOME))
    assert "sign-out" in page.text
    alices.client.cookies.clear()

    answer = await alices.send(page, decision="sign-out")

    assert answer.headers["location"] == HOME


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"form_token": None}, {}),
        ({"form_token": "0" * 64}, {}),
        ({"request": "state=x"}, {}),
        ({}, {"Origin": "https://evil.example"}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
    ],
)
async def test_only_our_own_form_signs_out(alices, fields, headers):
    page = await alices.get("/oauth/logout")

    answer = await alices.send(page, headers=headers, decision="sign-out", **fields)

    assert answer.status_code == 403
    assert await is_signed_in(alices)


async def test_the_page_is_in_the_language_that_the_app_asks_for(alices):
    page = await alices.get(url(ui_locales="ru"))

    assert '<html lang="ru">' in page.text
    assert "Выйти?" in page.text


async def test_a_native_app_is_sent_to_any_port(app, api, alices):
    pocket = await register_app(
        app,
        api,
        "http://127.0.0.1/cb",
        public=True,
        grant_types=("authorization_code", "refresh_token"),
        post_logout_redirect_uris=["http://localhost/bye"],
    )
    hint = (await pocket.let_in(alices, "openid"))["id_token"]

    answer = await alices.get(url(id_token_hint=hint, post_logout_redirect_uri="http://localhost:5000/bye"))

    assert answer.headers["location"] == "http://localhost:5000/bye"
