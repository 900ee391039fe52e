"""POST /api/v1/sessions"""

import asyncio

import pytest
from sqlalchemy import text

from people import PASSWORD, register, sign_in
from second_service import second_service

PATH = "/api/v1/sessions"
KEYS = {"access_token", "token_type", "expires_in", "refresh_token", "scope"}


def without_id(answer):
    """An answer but for what differs each time: body, and headers."""
    body = answer.json()
    del body["request_id"]
    return body, {name: value for name, value in answer.headers.items() if name != "x-request-id"}


async def test_it_answers_with_tokens(alice):
    answer = await sign_in(alice.api, alice.email)

    assert answer.status_code == 201
    tokens = answer.json()
    assert tokens.keys() == KEYS
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 600)
    assert answer.headers["cache-control"] == "no-store"


async def test_its_token_works(alice):
    tokens = (await sign_in(alice.api, alice.email)).json()

    me = await alice.get("/api/v1/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})

    assert me.json() == alice.account


@pytest.mark.one_database
@pytest.mark.parametrize("spelling", ["ALICE@example.com", "Alice@EXAMPLE.COM", "alice@ｅxample.com"])
async def test_the_address_may_be_written(alice, spelling):
    assert (await sign_in(alice.api, spelling)).status_code == 201


async def test_each_sign_in_creates_a_session(alice):
    first, second = [(await sign_in(alice.api, alice.email)).json() for _ in range(2)]

    assert first["refresh_token"] != second["refresh_token"]
    assert first["access_token"] != second["access_token"]


UNKNOWN = {
    "unknown address": "nobody@example.com",
    "no address": "alice",
    "empty": "",
    "localhost": "alice@localhost",
    "display name": "Alice <alice@example.com>",
    "trailing space": "alice@example.com ",
    "Cyrillic look-alike": "аlice@example.com",
    "LIKE pattern": "%@example.com",
    "SQL": "' OR 1=1 --",
    "320 characters": "a" * 308 + "@example.com",
}


@pytest.mark.one_database
@pytest.mark.parametrize("address", UNKNOWN.values(), ids=UNKNOWN)
async def test_wrong_password_and_unknown_address_get_the_same_response(alice, address):
    wrong_password = await sign_in(alice.api, alice.email, "not her password")
    wrong_address = await sign_in(alice.api, address)

    assert wrong_password.status_code == 401
    assert wrong_password.json()["code"] == "invalid_credentials"
    assert without_id(wrong_address) == without_id(wrong_password)


async def test_erased_account_is_answered_like_an_unknown_one(alice):
    wrong = await sign_in(alice.api, "nobody@example.com")
    await alice.delete("/api/v1/me", json={"password": PASSWORD})

    assert without_id(await sign_in(alice.api, alice.email)) == without_id(wrong)


async def test_disabled_account_is_answered_like_an_unknown_one(alice, app):
    wrong = await sign_in(alice.api, "nobody@example.com")
    async with app.state.services.database.transaction() as session:
        await session.execute(text("UPDATE users SET status = 'disabled'"))

    refused = await sign_in(alice.api, alice.email)
    assert refused.status_code == 401
    assert without_id(refused) == without_id(wrong)


async def test_account_without_a_password_refuses_every_password(alice, app):
    async with app.state.services.database.transaction() as session:
        await session.execute(text("UPDATE users SET password_hash = NULL"))

    for password in (PASSWORD, "", "nobody has this password"):
        assert (await sign_in(alice.api, alice.email, password)).status_code == 401


@pytest.mark.one_database
@pytest.mark.parametrize("password", ["", "x", PASSWORD[:-1], PASSWORD + "x", "x" * 1024, "😀" * 1024])
async def test_it_refuses_the_password(alice, password):
    assert (await sign_in(alice.api, alice.email, password)).status_code == 401


@pytest.mark.one_database
@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
@pytest.mark.parametrize("password", ["x" * 1025, "xy" * 30_000])
async def test_password_over_1024_characters_is_refused(alice, email, password):
    answer = await sign_in(alice.api, email, password)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body.password"]


async def test_a_refused_sign_in_makes_no_session(alice, rows):
    before = await rows("SELECT count(*) FROM sessions")

    await sign_in(alice.api, alice.email, "not her password")

    assert await rows("SELECT count(*) FROM sessions") == before


async def test_sign_in_rehashes_after_a_change_of_cost(alice, database_url, clock, rows):
    hashes = "SELECT password_hash FROM users"
    [(cheap,)] = await rows(hashes)
    async with second_service(database_url, clock=clock, password_hash="small") as api:
        assert (await sign_in(api, alice.email, "not her password")).status_code == 401
        assert await rows(hashes) == [(cheap,)]

        assert (await sign_in(api, alice.email)).status_code == 201

        [(better,)] = await rows(hashes)
        assert "m=7168,t=5" in better
        assert (await sign_in(api, alice.email)).status_code == 201
    assert await rows(hashes) == [(better,)]


async def test_concurrent_sign_ins_succeed_after_a_change_of_cost(alice, database_url, clock):
    async with second_service(database_url, clock=clock, password_hash="small") as api:
        answers = await asyncio.gather(*(sign_in(api, alice.email) for _ in range(8)))

    assert {answer.status_code for answer in answers} == {201}


async def test_sign_in_keeps_the_hash_without_a_change_of_cost(alice, rows):
    before = await rows("SELECT password_hash FROM users")

    await sign_in(alice.api, alice.email)

    assert await rows("SELECT password_hash FROM users") == before


async def test_a_sign_in_and_an_erasure_at_once_leave_no_session(api, rows):
    await register(api, "alice")
    token = (await sign_in(api, "alice@example.com")).json()["access_token"]
    erasure = api.request(
        "DELETE", "/api/v1/me", json={"password": PASSWORD}, headers={"Authorization": f"Bearer {token}"}
    )

    answers = await asyncio.gather(erasure, *(sign_in(api, "alice@example.com") for _ in range(5)))

    assert answers[0].status_code == 204
    assert {answer.status_code for answer in answers[1:]} <= {201, 401}
    assert await rows("SELECT count(*) FROM sessions WHERE revoked_at IS NULL") == [(0,)]
