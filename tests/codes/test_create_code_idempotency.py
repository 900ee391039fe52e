"""POST /api/v1/me/referral-codes with `Idempotency-Key`"""

from collections import Counter

import pytest

from concurrency import at_once
from people import PASSWORD

PATH = "/api/v1/me/referral-codes"


async def create(person, *, key="first-try", **body):
    return await person.post(PATH, {"lifetime": 172_800, **body}, headers={"Idempotency-Key": key})


async def codes_of(person):
    return [code["code"] for code in (await person.get(PATH)).json()["items"]]


async def test_a_repeated_request_is_replayed(alice):
    first = await create(alice)
    again = await create(alice)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await codes_of(alice) == [first.json()["code"]]


async def test_concurrent_requests_with_one_key_create_one_code(alice):
    answers = await at_once(lambda _: create(alice), range(20))

    assert Counter(answer.status_code for answer in answers) == {201: 20}
    assert len({answer.content for answer in answers}) == 1
    assert Counter(answer.headers.get("idempotency-replayed") for answer in answers) == {None: 1, "true": 19}
    assert await codes_of(alice) == [answers[0].json()["code"]]


async def test_concurrent_requests_with_different_bodies_create_one_code(alice):
    answers = await at_once(lambda uses: create(alice, max_uses=uses), range(1, 11))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 422: 9}
    assert len(await codes_of(alice)) == 1


@pytest.mark.parametrize(
    "change", [{"max_uses": 5}, {"lifetime": 3600}, {"code": "ALICE-2030"}, {"active": False}]
)
async def test_a_key_with_another_body_is_refused(alice, change):
    first = await create(alice)

    answer = await create(alice, **change)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert await codes_of(alice) == [first.json()["code"]]


@pytest.mark.one_database
async def test_field_order_and_whitespace_are_ignored(alice):
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    bodies = '{"lifetime": 3600, "active": false}', '{ "active":false,\n"lifetime":3600 }'

    first, again = [await alice.call("POST", PATH, content=body, headers=headers) for body in bodies]

    assert again.content == first.content


async def test_a_failed_request_does_not_use_the_key(alice):
    active = await create(alice, key="another")
    refused = await create(alice)
    await alice.delete(active.headers["location"])

    answer = await create(alice)

    assert (refused.status_code, refused.json()["code"]) == (409, "active_code_exists")
    assert answer.status_code == 201
    assert "idempotency-replayed" not in answer.headers


async def test_a_failed_request_does_not_bind_the_key_to_its_body(alice):
    refused = await create(alice, lifetime=1)

    answer = await create(alice)

    assert (refused.status_code, answer.status_code) == (422, 201)


async def test_keys_of_different_users_are_independent(alice, mallory):
    hers = await create(alice)

    theirs = await create(mallory)

    assert theirs.status_code == 201
    assert theirs.json()["code"] != hers.json()["code"]
    assert "idempotency-replayed" not in theirs.headers


async def test_another_key_is_another_request(alice):
    await create(alice)

    assert (await create(alice, key="second-try")).json()["code"] == "active_code_exists"


async def test_keys_are_case_sensitive(alice):
    await create(alice, active=False, key="try")
    await create(alice, active=False, key="TRY")

    assert len(await codes_of(alice)) == 2


async def test_replayed_after_the_code_was_deleted(alice):
    first = await create(alice)
    await alice.delete(first.headers["location"])

    again = await create(alice)

    assert again.content == first.content
    assert await codes_of(alice) == []


async def test_the_key_is_valid_for_a_day(alice, clock):
    first = await create(alice)
    clock.forward(hours=23, minutes=59)
    await alice.sign_in()

    again = await create(alice)

    assert again.content == first.content


async def test_the_key_expires_after_a_day(alice, clock):
    first = await create(alice, active=False)
    clock.forward(hours=24)
    await alice.sign_in()

    again = await create(alice, active=False)

    assert again.status_code == 201
    assert again.json()["code"] != first.json()["code"]
    assert "idempotency-replayed" not in again.headers


@pytest.mark.one_database
@pytest.mark.parametrize("key", ["x", "!~", "k" * 255])
async def test_accepts_visible_ascii_keys(alice, key):
    first, again = await create(alice, key=key), await create(alice, key=key)

    assert first.status_code == 201
    assert again.content == first.content


@pytest.mark.one_database
@pytest.mark.parametrize(
    "key", ["", " ", "two words", "tab\there", "k" * 256, "Schlüssel".encode(), b"\x7f", "鍵".encode()]
)
async def test_rejects_invalid_keys(alice, key):
    answer = await create(alice, key=key)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "header.Idempotency-Key"
    assert await codes_of(alice) == []


async def test_erasure_deletes_stored_responses(alice, rows):
    await create(alice)

    await alice.delete("/api/v1/me", json={"password": PASSWORD})

    assert await rows("SELECT count(*) FROM idempotency_keys") == [(0,)]
