"""Processes and nodes count together, and go on counting while Redis is out."""

import asyncio
import os
import time
from collections import Counter
from signal import SIGKILL, SIGSTOP
from typing import Any

import pytest
from redis.asyncio import Redis

from asgi import client_of
from people import make_code, register
from second_service import second_service
from servers import valkey

pytestmark = pytest.mark.one_database

LOOK_UP = "/api/v1/referral-codes"
PATIENT = 5
"""Tries: on a busy machine Redis may not answer in 50 ms, and then each node counts for itself for a second."""


@pytest.fixture
def server():
    with valkey() as found:
        yield found


async def registrations(node, name, number):
    return [(await register(node, f"{name}{n}")).status_code for n in range(number)]


async def tries(node, number):
    """Wrong tokens of letters: as quick an answer as there is, of what asks Redis each time."""
    body = {"token": "gwv_" + "A" * 43}
    return [
        (await node.post("/api/v1/email-verifications/confirm", json=body)).status_code for _ in range(number)
    ]


async def test_nodes_with_redis_count_together(database_url, api, server):
    settings = {"redis_url": server.url, "limits": "email-token=5/minute look-up-missing=3/minute"}
    async with (
        second_service(database_url, **settings) as here,
        second_service(database_url, **settings) as there,
    ):
        for attempt in range(PATIENT):
            found = await from_elsewhere(attempt, here, there)
            if found == ([400] * 3, [400, 400, 429], [429], [404, 404, 404, 429]):
                break
            await asyncio.sleep(1)
        else:
            raise AssertionError(found)


async def test_a_crowd_at_once_does_not_refuse_itself(database_url, api, server):
    settings = {"redis_url": server.url, "limits": "email-token=20/minute"}
    async with second_service(database_url, **settings) as node:
        for attempt in range(PATIENT):
            app: Any = node._transport
            async with client_of(app.app, peer=f"192.0.2.{attempt}") as one:
                answers = await asyncio.gather(*(tries(one, 1) for _ in range(40)))
                found = Counter(status for [status] in answers)
            if found == {400: 20, 429: 20}:
                break
            await asyncio.sleep(1)
        else:
            raise AssertionError(found)


async def from_elsewhere(attempt, here, there):
    """How two nodes answer somebody from an address that has not asked yet."""
    peer = f"192.0.2.{attempt}"
    async with (
        client_of(here._transport.app, peer=peer) as one,
        client_of(there._transport.app, peer=peer) as other,
    ):
        tried = await tries(one, 3), await tries(other, 3), await tries(one, 1)
        missing = [(await node.get(f"{LOOK_UP}/NONE")).status_code for node in (one, other) * 2]
        return *tried, missing


async def test_what_is_counted_in_steps_overshoots_by_no_more(database_url, api, alice, server):
    code = (await make_code(alice))["code"]
    settings = {"redis_url": server.url, "limits": "look-up=100/minute"}
    async with (
        second_service(database_url, **settings) as here,
        second_service(database_url, **settings) as there,
    ):
        found = Counter()
        for n in range(240):
            found[(await (here, there)[n % 2].get(f"{LOOK_UP}/{code}")).status_code] += 1
            await asyncio.sleep(0.002)  # what was told is heard

    assert found[429] == 240 - found[200]
    assert 100 <= found[200] <= 110, "a fiftieth for each node, and what came meanwhile"


async def command(server, *words):
    async with Redis.from_url(server.url) as redis:
        await redis.execute_command(*words)


async def killed(server):
    os.kill(server.pid, SIGKILL)


async def stalled(server):
    os.kill(server.pid, SIGSTOP)


async def emptied(server):
    await command(server, "FLUSHALL")


async def locked(server):
    async with Redis.from_url(server.url) as redis:
        await redis.config_set("requirepass", "something else")
        await redis.execute_command("CLIENT", "KILL", "TYPE", "normal")


async def replica(server):
    await command(server, "REPLICAOF", "127.0.0.1", "1")


async def full(server):
    await command(server, "CONFIG", "SET", "maxmemory", "1")


FAULTS = [killed, stalled, emptied, locked, replica, full]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_a_limit_holds_through_a_fault_of_redis(database_url, api, alice, server, fault):
    """H07."""
    code = (await make_code(alice))["code"]
    limits = "sign-up=6/minute look-up-missing=4/minute look-up=20/minute"
    async with second_service(database_url, redis_url=server.url, limits=limits) as node:
        assert await registrations(node, "before", 4) == [201] * 4
        assert [(await node.get(f"{LOOK_UP}/NONE")).status_code for _ in range(2)] == [404] * 2

        await fault(server)

        assert await registrations(node, "after", 4) == [201, 201, 429, 429]
        found = [(await node.get(f"{LOOK_UP}/{code}")).status_code for _ in range(20)]
        assert found == [200] * 18 + [429] * 2


async def test_a_redis_that_hangs_costs_little(database_url, api, alice, server):
    """H07: the 99th of a hundred, of what asks it each time."""
    async with second_service(database_url, redis_url=server.url) as node:
        alice.api = node

        async def times(number):
            found = []
            for _ in range(number):
                began = time.perf_counter()
                assert (await alice.patch("/api/v1/me", {"first_name": "Alice"})).status_code == 200
                found.append(time.perf_counter() - began)
            return sorted(found)

        usual = await times(50)
        os.kill(server.pid, SIGSTOP)
        stalled = await times(100)
    alice.api = api

    assert stalled[98] <= usual[48] + 0.06
    assert stalled[50] <= usual[48] + 0.02, "it is left alone in between"


async def test_what_was_counted_without_it_is_told_when_it_is_back(database_url, api, server):
    settings = {"redis_url": server.url, "limits": "email-token=50/minute"}
    async with (
        second_service(database_url, **settings) as here,
        second_service(database_url, **settings) as there,
    ):
        await replica(server)
        assert await tries(here, 50) == [400] * 50
        await command(server, "REPLICAOF", "NO", "ONE")

        refused_after = 0
        while await tries(there, 1) != [429]:
            refused_after += 1
            assert refused_after < 20, "it would take 25 more of both to use it up anew"
            await asyncio.sleep(0.2)
            assert await tries(here, 1) == [429]
