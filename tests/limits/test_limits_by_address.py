"""How often a letter to an address may be asked for: alike whether or not anybody has it."""

from collections import Counter

import pytest
from redis.asyncio import Redis

from asgi import client_of
from second_service import second_service

pytestmark = pytest.mark.one_database

RESETS = "/api/v1/password-resets"
VERIFICATIONS = "/api/v1/email-verifications"
CHANGES = "/api/v1/me/email-changes"


def told(answer):
    changing = ("x-request-id",)
    headers = {name: value for name, value in answer.headers.items() if name not in changing}
    body = {name: value for name, value in answer.json().items() if name != "request_id"}
    return answer.status_code, headers, body


async def test_a_thousand_resets_for_one_address(app, alice, post):
    """C27: from everywhere."""
    await post()
    statuses = Counter()
    for n in range(1000):
        async with client_of(app, peer=f"10.{n % 250}.{n // 250}.1") as client:
            statuses[(await client.post(RESETS, json={"email": alice.email})).status_code] += 1

    assert statuses == {202: 5, 429: 995}
    assert len(await post()) == 5


@pytest.mark.parametrize("path", [RESETS, VERIFICATIONS])
async def test_known_and_unknown_are_refused_alike(app, alice, post, clock, path):
    """C27."""
    found = {}
    for peer, email in (("192.0.2.1", alice.email), ("192.0.2.2", "nobody@example.com")):
        async with client_of(app, peer=peer) as client:
            found[email] = [told(await client.post(path, json={"email": email})) for _ in range(8)]
    known, unknown = found.values()

    assert [status for status, _, _ in known] == [202] * 5 + [429] * 3
    for one, other in zip(known, unknown, strict=True):
        one[1].pop("ratelimit"), other[1].pop("ratelimit")  # a second may have passed
        assert abs(int(one[1].pop("retry-after", 0)) - int(other[1].pop("retry-after", 0))) <= 1
        assert one == other


async def test_spellings_of_one_address_count_together(api):
    spellings = ["nobody@example.com", "NOBODY@example.com", "nobody@EXAMPLE.com"] * 2

    statuses = [(await api.post(RESETS, json={"email": email})).status_code for email in spellings]

    assert statuses == [202] * 5 + [429]


async def test_the_next_hour_and_another_kind_have_their_own(api, clock):
    async def ask(path):
        return (await api.post(path, json={"email": "nobody@example.com"})).status_code

    assert [await ask(RESETS) for _ in range(6)] == [202] * 5 + [429]
    assert await ask(VERIFICATIONS) == 202
    clock.forward(minutes=61)
    assert await ask(RESETS) == 202


async def test_a_change_to_an_address_too(api, alice):
    async def ask(email):
        body = {"email": email, "password": alice.password}
        return (await alice.post(CHANGES, body)).status_code

    assert [await ask("new@example.com") for _ in range(6)] == [202] * 5 + [429]
    assert await ask("another@example.com") == 202


async def test_the_page_is_limited_as_the_api_is(api, alice):
    form = {"email": alice.email}
    pages = [(await api.post("/forgot-password", data=form)).status_code for _ in range(5)]

    assert pages == [200] * 5
    refused = await api.post("/forgot-password", data=form)
    assert refused.status_code == 429
    assert refused.headers["retry-after"]
    assert (await api.post(RESETS, json=form)).status_code == 429


async def test_letters_to_many_addresses_are_too_many_from_one_network(api):
    answers = [await api.post(RESETS, json={"email": f"no{n}@example.com"}) for n in range(61)]

    assert Counter(answer.status_code for answer in answers) == {202: 60, 429: 1}
    assert answers[-1].headers["ratelimit-policy"] == '"email";q=60;w=60'


async def test_tokens_of_letters_cannot_be_tried_for_ever(api):
    body = {"token": "gwv_" + "A" * 43}
    answers = [await api.post(f"{VERIFICATIONS}/confirm", json=body) for _ in range(61)]

    assert Counter(answer.status_code for answer in answers) == {400: 60, 429: 1}


async def test_no_address_stands_in_redis(database_url, api, valkey_url, redis: Redis):
    async with second_service(database_url, redis_url=valkey_url) as client:
        await client.post(RESETS, json={"email": "somebody@example.com"})

    names = [name async for name in redis.scan_iter("goodword:limit:*")]
    assert len(names) >= 2
    for name in names:
        assert await redis.pttl(name) > 0
        assert b"somebody" not in name
        assert (await redis.get(name)).isdigit()
