"""POST /api/v1/users with `Idempotency-Key`"""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from asgi import client_of, running, settings_for
from goodword.app import create_app
from people import PASSWORD, make_code, referrals_of, register, sign_in

PATH = "/api/v1/users"
BOB = {"email": "bob@example.com", "password": PASSWORD, "first_name": "Bob"}


async def send(api, key="a-key", **fields):
    return await api.post(PATH, json=BOB | fields, headers={"Idempotency-Key": key})


async def test_a_repeated_request_is_replayed(api, rows):
    first = await send(api)
    again = await send(api)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["content-type"] == first.headers["content-type"]
    assert await rows("SELECT count(*) FROM users") == [(1,)]


async def test_only_the_replay_is_marked(api):
    first = await send(api)
    again = await send(api)

    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_repeated_request_creates_one_referral(alice):
    code = (await make_code(alice))["code"]

    answers = [await send(alice.api, referral_code=code) for _ in range(3)]

    assert {answer.json()["referred_by"] for answer in answers} == {"Alice L."}
    assert len(await referrals_of(alice)) == 1


async def test_replayed_after_the_code_was_deleted(alice):
    code = (await make_code(alice))["code"]
    first = await send(alice.api, referral_code=code)
    await alice.delete(f"/api/v1/me/referral-codes/{code}")

    assert (await send(alice.api, referral_code=code)).content == first.content


async def test_concurrent_requests_create_one_account(api, rows):
    answers = await asyncio.gather(*(send(api) for _ in range(20)))

    made = [answer for answer in answers if answer.status_code == 201]
    assert {answer.json()["code"] for answer in answers if answer.status_code != 201} <= {
        "idempotency_key_in_use"
    }
    assert len({answer.content for answer in made}) == 1
    assert Counter("idempotency-replayed" in answer.headers for answer in made)[False] == 1
    assert await rows("SELECT count(*) FROM users") == [(1,)]


async def test_a_duplicate_at_any_step_is_replayed(api):
    for moment in range(0, 120, 3):
        bob = {"key": f"key-{moment}", "email": f"bob{moment}@example.com"}
        first = asyncio.create_task(send(api, **bob))
        for _ in range(moment):
            await asyncio.sleep(0)  # one step of the first request

        twin = await send(api, **bob)

        assert (twin.status_code, twin.content) == (201, (await first).content), moment


@pytest.mark.parametrize(
    "other",
    [
        {"email": "carol@example.com"},
        {"password": "another good one"},
        {"first_name": "Robert"},
        {"last_name": "Builder"},
        {"referral_code": "7KQ2M9XWPA"},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_a_key_with_another_body_is_refused(api, rows, other):
    await send(api)

    answer = await send(api, **other)

    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency_key_reused"
    assert await rows("SELECT count(*) FROM users") == [(1,)]


async def test_a_failed_request_does_not_use_the_key(api):
    assert (await send(api, referral_code="7KQ2M9XWPA")).status_code == 422
    assert (await send(api, password="short")).status_code == 422

    assert (await send(api)).status_code == 201


async def test_a_taken_address_does_not_use_the_key(api):
    await register(api, "bob")
    assert (await send(api)).status_code == 409

    assert (await send(api, email="carol@example.com")).status_code == 201


async def test_another_key_is_another_request(api):
    await send(api, "a-key")

    assert (await send(api, "b-key")).status_code == 409
    assert (await send(api, "A-KEY")).status_code == 409


async def test_the_key_expires_after_a_day(api, clock):
    await send(api)
    clock.forward(hours=23, minutes=59)
    assert (await send(api)).status_code == 201

    clock.forward(minutes=1)

    assert (await send(api)).status_code == 409
    assert (await send(api, email="carol@example.com")).status_code == 201


@pytest.mark.one_database
@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "tab\tbed", b"k\xc3\xa9y", b"\x80"])
async def test_rejects_invalid_keys(api, rows, key):
    answer = await send(api, key)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["header.Idempotency-Key"]
    assert await rows("SELECT count(*) FROM users") == [(0,)]


@pytest.mark.one_database
async def test_rejects_two_keys(api):
    headers = [("Idempotency-Key", "a-key"), ("Idempotency-Key", "b-key")]

    answer = await api.post(PATH, json=BOB, headers=headers)

    assert [error["field"] for error in answer.json()["errors"]] == ["header.Idempotency-Key"]


@pytest.mark.one_database
@pytest.mark.parametrize("key", ["k", "x" * 255, "".join(chr(n) for n in range(0x21, 0x7F))], ids=len)
async def test_accepts_visible_ascii_keys(api, key):
    assert (await send(api, key)).status_code == 201


async def test_the_fingerprint_of_the_body_is_keyed(database_url, clock, rows, app):
    stored = []
    for secret in (b"our secret", b"another secret"):
        other = create_app(settings_for(database_url), clock=clock)
        services = other.state.services
        other.state.services = replace(services, keys=replace(services.keys, idempotency=secret))
        async with running(other), client_of(other) as api:
            await send(api)
            stored += await rows("SELECT body, fingerprint FROM idempotency_keys")
            token = (await sign_in(api, BOB["email"])).json()["access_token"]
            bearer = {"Authorization": f"Bearer {token}"}
            await api.request("DELETE", "/api/v1/me", json={"password": PASSWORD}, headers=bearer)

    assert [len(fingerprint) for _, fingerprint in stored] == [32, 32]
    assert stored[0][1] != stored[1][1]
    assert not any(PASSWORD in body for body, _ in stored)


async def test_tokens_are_never_stored(alice, rows):
    body = {"email": alice.email, "password": PASSWORD}
    headers = {"Idempotency-Key": "a-key"}

    answers = [await alice.api.post("/api/v1/sessions", json=body, headers=headers) for _ in range(2)]

    assert len({answer.json()["refresh_token"] for answer in answers}) == 2
    assert await rows("SELECT count(*) FROM idempotency_keys") == [(0,)]


async def test_a_key_belongs_to_its_route(alice):
    await send(alice.api, "a-key")

    answer = await alice.post(
        "/api/v1/me/referral-codes", {"lifetime": 3600}, headers={"Idempotency-Key": "a-key"}
    )

    assert answer.status_code == 201


async def test_a_key_belongs_to_its_caller(alice, mallory):
    headers = {"Idempotency-Key": "a-key"}
    path, body = "/api/v1/me/referral-codes", {"lifetime": 3600}

    first = await alice.post(path, body, headers=headers)
    other = await mallory.post(path, body, headers=headers)

    assert (first.status_code, other.status_code) == (201, 201)
    assert first.json()["code"] != other.json()["code"]
    assert (await sign_in(mallory.api, mallory.email)).status_code == 201
