"""The cache is a group of servers. When its Sentinel makes another one the primary, no request fails."""

import asyncio
import os
import socket
import time
from contextlib import suppress
from functools import partial
from signal import SIGSTOP
from urllib.parse import quote, urlsplit

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

import second_service as services
from goodword.cache import sentinels
from people import make_code, until_gone
from servers import valkey_group

FIND = "/api/v1/referral-codes"
PASSWORD = "p/a:s@s%word,"
LIMITS = "look-up-missing=100000/minute look-up=100000/minute"
second_service = partial(services.second_service, limits=LIMITS)
pytestmark = pytest.mark.one_database


@pytest.fixture
def group():
    with valkey_group(PASSWORD) as found:
        yield found


@pytest.fixture
def silent_sentinel():
    """The address of a Sentinel that takes connections and does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


async def entries(server):
    async with Redis.from_url(server.url, password=PASSWORD) as redis:
        with suppress(RedisError):  # the Sentinel closes all connections
            return set(await redis.keys("goodword:answer:*"))
    return set()


@pytest.fixture
def url(group, silent_sentinel):
    secret = quote(PASSWORD, safe="")
    return f"redis+sentinel://:{secret}@{silent_sentinel},{group.sentinel}/group/0?sentinel_password={secret}"


async def command(url, *words):
    async with Redis.from_url(url, password=PASSWORD) as redis:
        return await redis.execute_command(*words)


async def test_a_failover_fails_no_request(database_url, api, alice, group, url, monkeypatch):
    monkeypatch.setattr(sentinels, "HANDOVER", 0.0)  # or the new primary would be used half a minute later
    code = (await make_code(alice))["code"]
    async with second_service(database_url, redis_url=url) as node:
        while not await entries(group.primary):
            assert (await node.get(f"{FIND}/UNKNOWN-{time.monotonic_ns()}")).status_code == 404
        os.kill(group.primary.pid, SIGSTOP)

        before = await entries(group.replica)
        while not await entries(group.replica) - before:
            assert (await node.get(f"{FIND}/{code}")).status_code == 200
            assert (await node.get(f"{FIND}/UNKNOWN-{time.monotonic_ns()}")).status_code == 404
            await asyncio.sleep(0.05)
        assert (await node.get("/readyz")).json()["checks"]["cache"] == "ok"


async def test_nodes_with_two_primaries_leave_no_old_answer(
    database_url, api, alice, group, url, monkeypatch
):
    """The previous primary takes writes for up to 20 seconds after the Sentinel has named another one."""
    monkeypatch.setattr(sentinels, "HANDOVER", 0.0)
    async with second_service(database_url, redis_url=url) as here:
        while not await entries(group.primary):
            assert (await here.get(f"{FIND}/UNKNOWN-{time.monotonic_ns()}")).status_code == 404
            await asyncio.sleep(0.05)
        monkeypatch.undo()
        sentinel = f"redis://{group.sentinel}"
        await command(group.replica.url, "REPLICAOF", "NO", "ONE")
        await command(group.replica.url, "FLUSHALL")
        await command(sentinel, "SENTINEL", "REMOVE", "group")
        await command(
            sentinel, "SENTINEL", "MONITOR", "group", "127.0.0.1", urlsplit(group.replica.url).port, 1
        )
        await command(sentinel, "SENTINEL", "SET", "group", "auth-pass", PASSWORD)

        async with second_service(database_url, redis_url=url) as there:
            while not await command(group.replica.url, "EXISTS", "goodword:news"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            for writer, reader in ((here, there), (there, here)):
                alice.api = writer
                code = (await make_code(alice))["code"]
                assert (await reader.get(f"{FIND}/{code}")).status_code == 200
                assert (await alice.delete(f"/api/v1/me/referral-codes/{code}")).status_code == 204
                await until_gone(reader, code)
    alice.api = api


async def test_without_a_sentinel_that_answers_every_request_is_answered(
    database_url, api, alice, silent_sentinel
):
    code = (await make_code(alice))["code"]
    async with second_service(database_url, redis_url=f"redis+sentinel://{silent_sentinel}/group") as node:
        assert (await node.get(f"{FIND}/{code}")).status_code == 200
        assert (await node.get("/readyz")).json()["checks"]["cache"] == "degraded"
