"""The queue for hashing passwords: bounded, and nobody else waits in it."""

import asyncio
import os
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from asgi import client_of, replaced, running, settings_for
from goodword.app import create_app
from goodword.users.passwords import WAITING_ROOM, HashingBusy, Passwords
from people import register, sign_in

pytestmark = pytest.mark.one_database

ROOM = len(os.sched_getaffinity(0)) + WAITING_ROOM


@pytest.fixture
async def crowded(alice, database_url, clock):
    """A service of Alice's that has as much room for hashes as it is told."""
    app = create_app(settings_for(database_url, rate_limits="off"), clock=clock)
    async with running(app), client_of(app) as api, AsyncExitStack() as stack:

        def with_room(room):
            passwords = Passwords(cost="standard", min_length=8, room=room)
            stack.callback(passwords.close)
            stack.enter_context(replaced(app, passwords=passwords))
            return api

        yield with_room


def bearer(person):
    return {"Authorization": f"Bearer {person.tokens['access_token']}"}


async def test_full_hashing_queue_answers_503_with_retry_after(crowded, alice):
    api = crowded(0)

    answers = [
        await sign_in(api, alice.email),
        await sign_in(api, "nobody@example.com"),
        await register(api, "bob"),
        await api.request("DELETE", "/api/v1/me", json={"password": "x"}, headers=bearer(alice)),
    ]

    assert [answer.status_code for answer in answers] == [503] * 4
    assert {answer.json()["code"] for answer in answers} == {"hashing_busy"}
    assert {answer.headers["retry-after"] for answer in answers} == {"1"}


async def test_other_requests_are_served_while_the_queue_is_full(crowded, alice):
    api = crowded(0)

    assert (await api.get("/livez")).status_code == 200
    assert (await api.get("/api/v1/me", headers=bearer(alice))).status_code == 200


async def test_some_concurrent_sign_ins_succeed_while_the_queue_is_full(crowded):
    api = crowded(1)

    crowd = asyncio.gather(*(sign_in(api, "nobody@example.com") for _ in range(20)))
    alive = await api.get("/livez")
    answers = await crowd

    assert alive.status_code == 200
    assert Counter(answer.status_code for answer in answers).keys() == {401, 503}


async def test_a_refused_sign_in_writes_nothing(app, rows):
    passwords = Passwords(cost="standard", min_length=8, room=1)

    async def attempt(number):
        async with client_of(app, peer=f"10.0.{number}.1") as api:
            return (await sign_in(api, f"nobody-{number}@example.com")).status_code

    with replaced(app, passwords=passwords):
        answers = Counter(await asyncio.gather(*map(attempt, range(20))))
    passwords.close()

    assert answers.keys() == {401, 503}
    assert await rows("SELECT count(*) FROM login_failures WHERE network <> ''") == [(answers[401],)]


async def test_hashing_queue_accepts_requests_again(crowded):
    api = crowded(1)
    await asyncio.gather(*(sign_in(api, "nobody@example.com") for _ in range(5)))

    assert (await register(api, "bob")).status_code == 201
    assert (await sign_in(api, "bob@example.com")).status_code == 201


async def test_hashing_queue_holds_128_requests():
    passwords = Passwords(cost="fast_for_tests", min_length=8)

    found = await asyncio.gather(
        *(passwords.verify("x", None) for _ in range(ROOM + 10)), return_exceptions=True
    )

    passwords.close()
    assert [isinstance(one, HashingBusy) for one in found] == [False] * ROOM + [True] * 10
