"""POST /oauth/token with an authorization code."""

import asyncio
from collections import Counter

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from goodword.oauth import consents, registration
from people import PASSWORD
from third_party import VERIFIER, challenge_of

ISSUER = "http://127.0.0.1:8000"


async def is_refused(answer, error="invalid_grant"):
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] == error, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"error", "error_description"}


async def test_a_code_is_traded_for_tokens(garden, alices, alice):
    answer = await garden.exchange(await garden.code(alices, scope="openid profile"))

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope", "id_token"}
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", 600, "openid profile")
    assert (await garden.get("/api/v1/me", tokens)).json()["id"] == alice.id


async def test_the_tokens_do_what_was_granted_and_no_more(garden, alices, alice):
    tokens = await garden.let_in(alices, "referrals:read")

    assert (await garden.get(f"/api/v1/users/{alice.id}/referrals", tokens)).status_code == 200
    for path in ("/api/v1/me", "/api/v1/me/referral-codes", "/api/v1/me/sessions", "/oauth/userinfo"):
        answer = await garden.get(path, tokens)
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


@pytest.mark.one_database
@pytest.mark.parametrize("basic", [True, False])
async def test_an_app_authenticates_either_way(garden, alices, basic):
    code = await garden.code(alices)

    assert (await garden.exchange(code, basic=basic)).status_code == 200


@pytest.mark.one_database
async def test_an_app_without_a_secret_sends_its_id(pocket, alices):
    tokens = await pocket.let_in(alices, "openid offline_access")

    assert tokens["refresh_token"].startswith("gwr_")


@pytest.mark.one_database
async def test_the_id_token_tells_who_signed_in(garden, api, alices, alice):
    tokens = await garden.let_in(alices, "openid", nonce="n-0S6_WzA2Mj")

    keys = KeySet.import_key_set((await api.get("/.well-known/jwks.json")).json())
    found = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"])
    claims = found.claims
    assert (claims["iss"], claims["aud"], claims["sub"]) == (ISSUER, garden.client_id, alice.id)
    assert claims["nonce"] == "n-0S6_WzA2Mj"
    assert claims["at_hash"] == half_hash(tokens["access_token"])
    assert claims["iat"] - 60 < claims["auth_time"] <= claims["iat"] < claims["exp"]


def half_hash(text):
    import base64
    import hashlib

    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).rstrip(b"=").decode()


@pytest.mark.one_database
async def test_an_id_token_opens_nothing(garden, alices):
    tokens = await garden.let_in(alices, "openid profile")

    answer = await garden.get("/api/v1/me", {"access_token": tokens["id_token"]})

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


@pytest.mark.one_database
async def test_there_is_no_id_token_without_openid(garden, alices):
    assert "id_token" not in await garden.let_in(alices, "profile", nonce="x")


async def test_a_code_is_good_for_a_minute(garden, alices, clock):
    code = await garden.code(alices)
    clock.forward(seconds=59)
    assert (await garden.exchange(code)).status_code == 200

    late = await garden.code(alices)
    clock.forward(seconds=61)
    await is_refused(await garden.exchange(late))


@pytest.mark.one_database
@pytest.mark.parametrize("verifier", ["a" * 43, "a" * 128, VERIFIER + "x", VERIFIER.upper()])
async def test_another_verifier_is_refused(garden, alices, verifier):
    code = await garden.code(alices)

    await is_refused(await garden.exchange(code, code_verifier=verifier))
    assert (await garden.exchange(code)).status_code == 200  # who guesses does not spend it


@pytest.mark.one_database
@pytest.mark.parametrize("verifier", [None, "", "a" * 42, "a" * 129, "a" * 42 + " ", "ü" * 43, "\x00" * 43])
async def test_what_is_no_verifier_is_refused(garden, alices, verifier):
    code = await garden.code(alices)

    await is_refused(await garden.exchange(code, code_verifier=verifier), "invalid_request")


@pytest.mark.one_database
@pytest.mark.parametrize("verifier", ["a" * 43, "-._~" * 32])
async def test_the_shortest_and_longest_verifiers_are_good(garden, alices, verifier):
    code = await garden.code(alices, code_challenge=challenge_of(verifier))

    assert (await garden.exchange(code, code_verifier=verifier)).status_code == 200


async def test_the_address_must_be_the_one_that_was_asked_for(pocket, alices):
    code = await pocket.code(alices, redirect_uri="http://127.0.0.1:5000/callback")

    await is_refused(await pocket.exchange(code, redirect_uri="http://127.0.0.1:5001/callback"))
    await is_refused(await pocket.exchange(code, redirect_uri=None), "invalid_request")
    assert (await pocket.exchange(code, redirect_uri="http://127.0.0.1:5000/callback")).status_code == 200


async def test_the_code_of_one_app_is_nothing_to_another(garden, rival, pocket, alices):
    code = await garden.code(alices)

    for other in (rival, pocket):
        await is_refused(await other.exchange(code, redirect_uri=garden.redirect_uri))
    assert (await garden.exchange(code)).status_code == 200


@pytest.mark.one_database
@pytest.mark.parametrize("code", [None, "", "gwa_unknown", "\x00", "ü", "x" * 10_000])
async def test_what_is_no_code_is_refused(garden, code):
    await is_refused(await garden.exchange(code), "invalid_grant" if code else "invalid_request")


async def test_a_code_shown_twice_ends_what_it_was_traded_for(garden, alices, rows):
    code = await garden.code(alices, scope="profile offline_access")
    tokens = (await garden.exchange(code)).json()

    await is_refused(await garden.exchange(code))

    assert (await garden.get("/api/v1/me", tokens)).status_code == 401
    await is_refused(await garden.refresh(tokens["refresh_token"]))
    assert ("code_replayed",) in await rows("SELECT revoked_reason FROM sessions")
    assert (
        await alices.get(garden.url(scope="profile"))
    ).status_code == 303  # she herself is still signed in


async def test_a_code_shown_again_much_later_still_ends_it(garden, alices, clock):
    code = await garden.code(alices, scope="profile offline_access")
    tokens = (await garden.exchange(code)).json()
    clock.forward(hours=5)

    await is_refused(await garden.exchange(code))

    await is_refused(await garden.refresh(tokens["refresh_token"]))


async def test_twenty_at_once_have_one_success(garden, alices):
    code = await garden.code(alices, scope="profile offline_access")

    answers = await asyncio.gather(*(garden.exchange(code) for _ in range(20)))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 19}
    assert {a.json()["error"] for a in answers if a.status_code == 400} == {"invalid_grant"}
    tokens = next(answer.json() for answer in answers if answer.status_code == 200)
    assert (await garden.get("/api/v1/me", tokens)).status_code == 401


async def test_signing_out_takes_back_a_code_under_way(garden, alices, alice):
    code = await garden.code(alices)

    await alice.delete("/api/v1/me/sessions")

    await is_refused(await garden.exchange(code))


async def test_an_erased_persons_codes_and_consents_are_gone(garden, alices, alice, rows):
    tokens = await garden.let_in(alices, "profile offline_access")
    code = await garden.code(alices)

    await alice.delete("/api/v1/me", json={"password": PASSWORD})

    await is_refused(await garden.exchange(code))
    await is_refused(await garden.refresh(tokens["refresh_token"]))
    assert (await garden.get("/api/v1/me", tokens)).status_code == 401
    assert await rows("SELECT count(*) FROM oauth_grants") == [(0,)]
    assert await rows("SELECT count(*) FROM oauth_codes") == [(0,)]


async def test_a_disabled_app_gets_nothing_more_and_loses_what_it_has(app, garden, alices):
    tokens = await garden.let_in(alices, "profile offline_access")
    code = await garden.code(alices, scope="profile")

    async with app.state.services.database.transaction() as session:
        await registration.disable(session, garden.client_id, now=app.state.services.clock())

    answer = await garden.exchange(code)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert (await garden.get("/api/v1/me", tokens)).status_code == 401


async def test_codes_are_stored_as_a_keyed_hash_and_old_ones_go(garden, alices, alice, rows, clock):
    code = await garden.code(alices, scope="openid")
    await garden.exchange(code)
    stored = await rows("SELECT code_mac FROM oauth_codes")
    assert code.encode() not in bytes(stored[0][0])

    clock.forward(seconds=consents.CODES_KEPT.total_seconds() + 120)
    await garden.code(alices, scope="openid")

    assert await rows("SELECT count(*) FROM oauth_codes") == [(1,)]


async def test_a_session_without_refresh_ends_with_its_access_token(garden, alices, alice, clock):
    await garden.let_in(alices, "profile")
    clock.forward(seconds=601)
    await alice.sign_in()

    listed = (await alice.get("/api/v1/me/sessions")).json()["items"]

    assert garden.client_id not in {one["client"] for one in listed}
