"""GET /oauth/authorize with `id_token_hint`: the person whom the app expects (OpenID Connect Core §3.1.2.1)."""

import json

import pytest

from asgi import client_of
from forged_tokens import encode, parts_of, signed_anew
from goodword.sessions.keys import rotate
from third_party import Browser, answer_of

pytestmark = pytest.mark.one_database


@pytest.fixture
async def bobs_hint(app, garden, bob):
    async with client_of(app) as client:
        browser = Browser(client)
        await browser.sign_in(bob)
        return (await garden.let_in(browser, "openid"))["id_token"]


@pytest.fixture
async def hint(garden, alices):
    """Alice's ID token, after which Garden is let in by her."""
    return (await garden.let_in(alices, "openid"))["id_token"]


async def silently(garden, browser, id_token, **parameters):
    url = garden.url(scope="openid", prompt="none", id_token_hint=id_token, **parameters)
    return answer_of(await browser.get(url))


async def test_the_person_of_the_hint_is_signed_in(garden, alices, hint):
    assert "code" in await silently(garden, alices, hint)
    assert "code" in answer_of(await alices.get(garden.url(scope="openid", id_token_hint=hint)))


async def test_another_person_gets_no_code_silently(garden, alices, hint, bobs_hint):
    found = await silently(garden, alices, bobs_hint)

    assert found.get("error") == "login_required"
    assert "code" not in found


async def test_without_a_consent_the_hint_decides_first(garden, alices, bobs_hint):
    assert (await silently(garden, alices, bobs_hint)).get("error") == "login_required"


@pytest.mark.parametrize("parameters", [{}, {"prompt": "login"}, {"max_age": "3600"}, {"prompt": "consent"}])
async def test_another_person_is_led_to_the_sign_in(garden, alices, bob, hint, bobs_hint, parameters):
    url = garden.url(scope="openid", id_token_hint=bobs_hint, **parameters)

    to_sign_in = await alices.get(url)
    assert to_sign_in.headers["location"].startswith("/sign-in?next=%2Foauth%2Fauthorize%3F")
    back = await alices.sign_in_by_form(bob, await alices.get(to_sign_in.headers["location"]))
    answer = await alices.get(back.headers["location"])
    if answer.status_code == 200:
        assert "bob@example.com" in answer.text
        answer = await alices.send(answer, decision="allow")

    tokens = (await garden.exchange(answer_of(answer)["code"])).json()
    assert parts_of(tokens["id_token"])[1]["sub"] == bob.id


@pytest.mark.parametrize(
    "parameters", [{}, {"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "0"}]
)
async def test_a_sign_in_by_another_person_ends_in_an_error(
    garden, alices, alice, hint, bobs_hint, parameters
):
    to_sign_in = await alices.get(garden.url(scope="openid", id_token_hint=bobs_hint, **parameters))
    back = await alices.sign_in_by_form(alice, await alices.get(to_sign_in.headers["location"]))

    assert answer_of(await alices.get(back.headers["location"])).get("error") == "login_required"


async def test_a_first_sign_in_by_another_person_ends_in_an_error(garden, browser, alice, bobs_hint):
    to_sign_in = await browser.get(garden.url(scope="openid", id_token_hint=bobs_hint))
    back = await browser.sign_in_by_form(alice, await browser.get(to_sign_in.headers["location"]))

    assert answer_of(await browser.get(back.headers["location"])).get("error") == "login_required"


async def test_the_hint_is_no_sign_in(garden, browser, bobs_hint):
    assert (await silently(garden, browser, bobs_hint)).get("error") == "login_required"


@pytest.mark.parametrize("parameters", [{"prompt": "login"}, {"max_age": "0", "prompt": "login"}])
async def test_the_hint_does_not_replace_a_sign_in(garden, alices, alice, hint, parameters):
    to_sign_in = await alices.get(garden.url(scope="openid", id_token_hint=hint, **parameters))
    assert to_sign_in.headers["location"].startswith("/sign-in?")

    back = await alices.sign_in_by_form(alice, await alices.get(to_sign_in.headers["location"]))

    assert "code" in answer_of(await alices.get(back.headers["location"]))


async def test_an_expired_id_token_is_a_hint(garden, alices, hint, bobs_hint, clock):
    clock.forward(days=20)

    assert "code" in await silently(garden, alices, hint)
    assert (await silently(garden, alices, bobs_hint)).get("error") == "login_required"


@pytest.mark.parametrize("hours", [0, 3])
async def test_a_retired_key_verifies_a_hint(app, garden, alices, hint, bobs_hint, clock, hours):
    await rotated(app, at_once=False)
    clock.forward(hours=hours)
    await app.state.services.signing_keys.load()

    assert "code" in await silently(garden, alices, hint)
    assert (await silently(garden, alices, bobs_hint)).get("error") == "login_required"


async def test_a_revoked_key_verifies_no_hint(app, garden, alices, hint):
    await rotated(app, at_once=True)

    assert (await silently(garden, alices, hint)).get("error") == "invalid_request"


async def rotated(app, *, at_once):
    async with app.state.services.database.transaction() as session:
        key = app.state.services.keys.signing_keys
        await rotate(session, key, at_once=at_once, now=app.state.services.clock())
    await app.state.services.signing_keys.load()


FORGERIES = {
    "nonsense": lambda app, hint: "nonsense",
    "three parts": lambda app, hint: "a.b.c",
    "not ASCII": lambda app, hint: "ü.ü.ü",
    "a longer signature": lambda app, hint: hint + "A" * 2500,
    "another signature": lambda app, hint: signed_by_nobody(hint),
    "no signature": lambda app, hint: unsigned(hint),
    "an unknown key": lambda app, hint: signed_anew(app, hint, {"kid": "unknown"}),
    "a key that never was": lambda app, hint: signed_anew(app, hint, {"kid": "0" * 32}),
    "no key": lambda app, hint: signed_anew(app, hint, {"kid": None}),
    "another kind": lambda app, hint: signed_anew(app, hint, {"typ": "at+jwt"}),
    "another issuer": lambda app, hint: signed_anew(app, hint, iss="https://evil.example"),
    "no issuer": lambda app, hint: signed_anew(app, hint, iss=None),
    "another app": lambda app, hint: signed_anew(app, hint, aud="gwc_another"),
    "no subject": lambda app, hint: signed_anew(app, hint, sub=None),
    "no id of a person": lambda app, hint: signed_anew(app, hint, sub="alice"),
}


def signed_by_nobody(hint):
    head, _, signature = hint.rpartition(".")
    return f"{head}.{'A' * len(signature)}"


def unsigned(hint):
    _, claims, _ = parts_of(hint)
    return f"{encode({'alg': 'none', 'typ': 'JWT'})}.{encode(claims)}."


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("prompt", ["none", None])
async def test_an_invalid_hint_is_an_invalid_request(app, garden, alices, hint, forgery, prompt):
    forged = FORGERIES[forgery](app, hint)

    found = answer_of(await alices.get(garden.url(scope="openid", prompt=prompt, id_token_hint=forged)))

    assert found.get("error") == "invalid_request"
    assert "id_token_hint" in found["error_description"]


async def test_a_hint_and_claims_for_two_users_are_an_invalid_request(garden, alices, hint, bob):
    claims = json.dumps({"id_token": {"sub": {"value": bob.id}}})

    found = await silently(garden, alices, hint, claims=claims)

    assert found.get("error") == "invalid_request"
    assert "two users" in found["error_description"]


async def test_an_access_token_is_no_hint(garden, alices):
    tokens = await garden.let_in(alices, "openid")

    assert (await silently(garden, alices, tokens["access_token"])).get("error") == "invalid_request"


async def test_an_id_token_of_another_app_is_no_hint(garden, rival, alices, hint):
    """Otherwise an app that nobody let in could find out who is signed in."""
    assert (await silently(rival, alices, hint)).get("error") == "invalid_request"


async def test_an_empty_hint_is_none(garden, alices, hint):
    assert "code" in await silently(garden, alices, "")


async def test_a_hint_can_be_about_a_person_who_was_erased(garden, alices, hint, bob, bobs_hint):
    erased = await bob.call("DELETE", "/api/v1/me", json={"password": bob.password})
    assert erased.status_code == 204

    assert (await silently(garden, alices, bobs_hint)).get("error") == "login_required"
