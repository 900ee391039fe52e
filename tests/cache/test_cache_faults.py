"""The cache server stalls, dies, refuses, forgets, lies and comes back; nobody but its operator notices."""

import asyncio
import os
import time
from signal import SIGCONT, SIGKILL, SIGSTOP
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from redis.asyncio import Redis

from people import make_code
from second_service import second_service
from servers import valkey
from serving import free_port, serving

FIND = "/api/v1/referral-codes"


@pytest.fixture
def server():
    with valkey() as found:
        yield found


async def command(server, *words):
    async with Redis.from_url(server.url) as redis:
        return await redis.execute_command(*words)


async def stalled(server):
    os.kill(server.pid, SIGSTOP)


async def killed(server):
    os.kill(server.pid, SIGKILL)


async def emptied(server):
    await command(server, "FLUSHALL")


async def full(server):
    await command(server, "CONFIG", "SET", "maxmemory", "1")


async def locked(server):
    async with Redis.from_url(server.url) as redis:
        await redis.config_set("requirepass", "something else")
        await redis.execute_command("CLIENT", "KILL", "TYPE", "normal")


async def replica(server):
    await command(server, "REPLICAOF", "127.0.0.1", "1")


async def paused(server):
    await command(server, "CLIENT", "PAUSE", "20000")


FAULTS = [stalled, killed, emptied, full, locked, replica, paused]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_a_fault_changes_no_answer(database_url, api, alice, server, fault):
    code = (await make_code(alice))["code"]
    async with (
        second_service(database_url, redis_url=server.url) as here,
        second_service(database_url, redis_url=server.url) as there,
    ):
        for node in (here, there):
            assert (await node.get(f"{FIND}/{code}")).status_code == 200

        await fault(server)
        alice.api = here
        other = (await make_code(alice, active=False))["code"]
        path = f"/api/v1/me/referral-codes/{other}/activate"
        assert (await here.get(f"{FIND}/{other}")).status_code == 404
        assert (await alice.post(path, {"replace": True})).status_code == 200
        changed_at = time.monotonic()

        assert (await here.get(f"{FIND}/{code}")).status_code == 404
        assert (await here.get(f"{FIND}/{other}")).status_code == 200
        while (await there.get(f"{FIND}/{code}")).status_code != 404:
            assert time.monotonic() < changed_at + 1
            await asyncio.sleep(0.01)
        ready = await here.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["status"] == ("degraded" if fault in {stalled, killed, locked, paused} else "ok")
    alice.api = api


async def test_what_was_deleted_while_it_stalled_is_not_found_when_it_comes_back(
    database_url, api, alice, server
):
    code = (await make_code(alice))["code"]
    async with (
        second_service(database_url, redis_url=server.url) as here,
        second_service(database_url, redis_url=server.url) as there,
    ):
        assert (await there.get(f"{FIND}/{code}")).status_code == 200
        os.kill(server.pid, SIGSTOP)
        alice.api = here
        assert (await alice.delete(f"/api/v1/me/referral-codes/{code}")).status_code == 204
        await asyncio.sleep(1)
        os.kill(server.pid, SIGCONT)

        for _ in range(20):
            assert (await there.get(f"{FIND}/{code}")).status_code == 404
            await asyncio.sleep(0.1)
    alice.api = api


async def test_it_is_used_again_soon_after_it_comes_back(database_url, api, alice, server):
    code = (await make_code(alice))["code"]
    async with second_service(database_url, redis_url=server.url) as node:
        os.kill(server.pid, SIGSTOP)
        assert (await node.get(f"{FIND}/{code}")).status_code == 200
        os.kill(server.pid, SIGCONT)
        back_at = time.monotonic()

        while not await command(server, "KEYS", "goodword:answer:*"):
            assert time.monotonic() < back_at + 5
            assert (await node.get(f"{FIND}/{code}")).status_code == 200
            await asyncio.sleep(0.1)


async def test_a_server_that_hangs_costs_a_few_look_ups_a_moment_and_then_nothing(
    database_url, api, alice, server
):
    codes = [(await make_code(alice, active=False))["code"] for _ in range(30)]
    async with second_service(database_url, redis_url=server.url) as node:
        await node.get(f"{FIND}/{codes[0]}")
        os.kill(server.pid, SIGSTOP)
        began = time.monotonic()
        for code in codes:
            assert (await node.get(f"{FIND}/{code}")).status_code == 404
        took = time.monotonic() - began

    # Asked for each of them, it would have taken 50 ms each time.
    assert took < 30 * 0.05


def test_the_log_says_so_without_the_address_of_the_server(tmp_path):
    url = f"redis://:secret@127.0.0.1:{free_port()}/0"
    with serving(tmp_path, REDIS_URL=url) as service:
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{service.url}{FIND}/UNKNOWN-CODE")
        service.stop()
        log = service.log.read_text()

    assert "the cache does not answer" in log
    assert url not in log
    assert "secret" not in log
