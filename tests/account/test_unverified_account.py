"""A password reset removes what a squatter left in an account with an unverified address."""

import pytest

from asgi import client_of
from people import PASSWORD
from third_party import Browser, answer_of, register_app

NEW = "eight lanterns in the valley"


@pytest.fixture
async def garden(app, api):
    return await register_app(app, api, "https://garden.example/callback")


@pytest.fixture
async def browser(app):
    async with client_of(app) as client:
        yield Browser(client)


async def reset(api, person, post):
    """The owner of the mailbox sets a new password."""
    await post()
    await api.post("/api/v1/password-resets", json={"email": person.email})
    body = {"token": (await post.only(person.email)).token, "password": NEW}
    assert (await api.post("/api/v1/password-resets/confirm", json=body)).status_code == 204


async def sign_in_with_new_password(browser, person):
    page = await browser.get("/sign-in")
    assert (await browser.send(page, email=person.email, password=NEW)).status_code == 303


async def test_a_reset_deletes_consents_and_codes_of_a_squatter(api, garden, browser, alice, post, rows):
    await browser.sign_in(alice)
    tokens = await garden.let_in(browser, "openid offline_access")
    code = await garden.code(browser, scope="openid offline_access")

    await reset(api, alice, post)

    assert await rows("SELECT count(*) FROM oauth_grants") == [(0,)]
    assert await rows("SELECT count(*) FROM oauth_codes") == [(0,)]
    assert (await garden.exchange(code)).json()["error"] == "invalid_grant"
    assert (await garden.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await garden.get("/oauth/userinfo", tokens)).status_code == 401
    await sign_in_with_new_password(browser, alice)
    silently = garden.url(scope="openid", prompt="none")
    assert answer_of(await browser.get(silently))["error"] == "consent_required"


async def test_consents_of_a_verified_person_stay(api, garden, browser, alice, post):
    await post()
    await api.post("/api/v1/email-verifications", json={"email": alice.email})
    verification = await post.only(alice.email)
    answer = await api.post("/api/v1/email-verifications/confirm", json={"token": verification.token})
    assert answer.status_code == 204
    await browser.sign_in(alice)
    await garden.let_in(browser, "openid")

    await reset(api, alice, post)

    await sign_in_with_new_password(browser, alice)
    assert "code" in answer_of(await browser.get(garden.url(scope="openid", prompt="none")))


async def test_a_reset_invalidates_an_earlier_verification(api, alice, post):
    await post()
    await api.post("/api/v1/email-verifications", json={"email": alice.email})
    verification = await post.only(alice.email)

    await reset(api, alice, post)

    answer = await api.post("/api/v1/email-verifications/confirm", json={"token": verification.token})
    assert answer.json()["code"] == "token_invalid"


async def test_a_reset_cancels_a_change_of_address(api, alice, post):
    await alice.post("/api/v1/me/email-changes", {"email": "squatter@example.org", "password": PASSWORD})
    change = (await post(to="squatter@example.org"))[0]

    await reset(api, alice, post)

    answer = await api.post("/api/v1/me/email-changes/confirm", json={"token": change.token})
    assert answer.json()["code"] == "token_invalid"


async def test_a_reset_deletes_addresses_requested_by_a_squatter(api, alice, post, rows):
    await alice.post("/api/v1/me/email-changes", {"email": "squatter@example.org", "password": PASSWORD})

    await reset(api, alice, post)

    assert await rows("SELECT email FROM verifications") == []
