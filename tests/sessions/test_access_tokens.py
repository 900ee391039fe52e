"""The access token of a request: whose it is, or 401 with the challenge that fits."""

import json

import pytest
from sqlalchemy import text

from forged_tokens import BARE, INVALID, challenge, encode, parts_of, signed_anew

pytestmark = pytest.mark.one_database

ME = "/api/v1/me"


async def works(api, token, scheme="Bearer"):
    return (await api.get(ME, headers={"Authorization": f"{scheme} {token}"})).status_code == 200


async def test_access_token_is_a_signed_at_jwt(alice):
    header, claims, _ = parts_of(alice.tokens["access_token"])

    assert (header["alg"], header["typ"]) == ("ES256", "at+jwt")
    assert claims.keys() == {"iss", "aud", "sub", "sid", "client_id", "iat", "exp", "jti", "scope"}
    assert claims["sub"] == alice.id
    assert claims["exp"] - claims["iat"] == 600


async def test_access_token_contains_no_personal_data(alice):
    shown = json.dumps(parts_of(alice.tokens["access_token"]))

    assert not any(secret in shown for secret in ("alice", "Alice", "Liddell", "example.com"))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer "])
async def test_the_case_of_the_scheme_does_not_matter(alice, scheme):
    assert await works(alice.api, alice.tokens["access_token"], scheme)


@pytest.mark.parametrize("authorization", [None, "", "Basic YWxpY2U6eA==", "Bear x", "Token x", "x"])
async def test_missing_token_gets_a_challenge(api, authorization):
    assert await challenge(api, authorization) == BARE


GARBAGE = {
    "empty": "",
    "blank": " ",
    "a word": "x",
    "null": "null",
    "two parts": "a.b",
    "four parts": "a.b.c.d",
    "dots": "...",
    "many dots": "." * 4000,
    "5 kB": "x" * 5000,
    "15 kB": "x" * 15_000,
    "Latin-1": b"\xe9.\xe9.\xe9",
    "deep header": encode(b"[" * 2900) + ".e.e",
    "list header": encode([]) + ".e.e",
    "text header": encode("x") + ".e.e",
    "null header": encode(None) + ".e.e",
    "broken header": encode(b"{") + ".e.e",
    "binary header": encode(b"\xff\xfe") + ".e.e",
    "huge number": encode(b'{"alg":"ES256","kid":' + b"9" * 2500 + b"}") + ".e.e",
    "infinite number": encode(b'{"alg":"ES256","kid":1e999}') + ".e.e",
    "JWE": ".".join([encode({"alg": "dir", "enc": "A128GCM"}), "", "aa", "aa", "aa"]),
}


@pytest.mark.parametrize("token", GARBAGE.values(), ids=GARBAGE)
async def test_malformed_access_token_is_refused(api, token):
    value = b"Bearer " + token if isinstance(token, bytes) else f"Bearer {token}"

    assert await challenge(api, value) == INVALID


async def test_refresh_token_is_refused_as_access_token(alice):
    assert await challenge(alice.api, f"Bearer {alice.tokens['refresh_token']}") == INVALID


async def test_access_token_expires_after_ten_minutes(alice, clock):
    clock.forward(seconds=590)
    assert await works(alice.api, alice.tokens["access_token"])

    clock.forward(seconds=10)

    assert await challenge(alice.api, f"Bearer {alice.tokens['access_token']}") == INVALID


async def test_access_token_issued_in_the_future_is_refused(alice, app):
    token = alice.tokens["access_token"]
    issued = parts_of(token)[1]["iat"] + 3600

    later = signed_anew(app, token, iat=issued, exp=issued + 600)

    assert await challenge(alice.api, f"Bearer {later}") == INVALID


async def test_access_token_outside_the_header_is_ignored(alice):
    token = alice.tokens["access_token"]

    answers = [
        await alice.api.get(ME, headers={"X-Access-Token": token}),
        await alice.api.get(ME, headers={"Cookie": f"access_token={token}"}),
        await alice.api.patch(ME, json={"access_token": token}),
    ]

    assert [answer.headers.get("www-authenticate") for answer in answers] == [BARE] * 3
    assert (await alice.api.get(ME, params={"access_token": token})).status_code == 422


async def test_missing_scope_is_forbidden(alice, app):
    narrow = signed_anew(app, alice.tokens["access_token"], scope="profile email")

    answer = await alice.api.get("/api/v1/me/sessions", headers={"Authorization": f"Bearer {narrow}"})

    assert answer.status_code == 403
    assert answer.json()["code"] == "insufficient_scope"
    assert answer.headers["www-authenticate"] == f'{BARE}, error="insufficient_scope", scope="account"'
    assert await works(alice.api, narrow)


async def test_disabled_account_loses_access_at_once(alice, app):
    async with app.state.services.database.transaction() as session:
        await session.execute(text("UPDATE users SET status = 'disabled'"))

    assert await challenge(alice.api, f"Bearer {alice.tokens['access_token']}") == INVALID
    form = {"grant_type": "refresh_token", "refresh_token": alice.tokens["refresh_token"]}
    assert (await alice.api.post("/oauth/token", data=form)).json()["error"] == "invalid_grant"
