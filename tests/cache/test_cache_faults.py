"""The cache server stalls, dies, refuses, forgets, lies and comes back; nobody but its operator notices."""

import asyncio
import os
import subprocess
import time
from contextlib import contextmanager
from functools import partial
from signal import SIGCONT, SIGKILL, SIGSTOP
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from redis.asyncio import Redis

import second_service as services
from goodword.cache.redis_client import MAX_LATE, RedisClient
from people import make_code, until_gone
from servers import valkey, valkey_program
from serving import free_port, serving, wait_for_port

FIND = "/api/v1/referral-codes"
MISSES = "look-up-missing=100000/minute"
second_service = partial(services.second_service, limits=MISSES)


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


@pytest.mark.one_database
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

        assert (await here.get(f"{FIND}/{code}")).status_code == 404
        assert (await here.get(f"{FIND}/{other}")).status_code == 200
        await until_gone(there, code)
        ready = await here.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["status"] == ("ok" if fault is emptied else "degraded")
    alice.api = api


@pytest.mark.one_database
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


@contextmanager
def saving(folder):
    """A Valkey that keeps what it has in a folder, on a port of its own; to be started again."""
    port = free_port()

    def start():
        command = [valkey_program(), "--dir", str(folder), "--port", str(port), "--save", "3600", "1000000"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for_port(port)
        return process

    yield f"redis://127.0.0.1:{port}/0", start


@pytest.mark.one_database
async def test_what_it_had_saved_before_a_change_is_not_believed_after_a_restart(
    database_url, api, alice, tmp_path
):
    code = (await make_code(alice))["code"]
    with saving(tmp_path) as (url, start):
        process = start()
        try:
            async with (
                second_service(database_url, redis_url=url) as here,
                second_service(database_url, redis_url=url) as there,
            ):
                assert (await there.get(f"{FIND}/{code}")).status_code == 200
                async with Redis.from_url(url) as redis:
                    await redis.save()
                alice.api = here
                assert (await alice.delete(f"/api/v1/me/referral-codes/{code}")).status_code == 204
                await asyncio.sleep(0.5)
                process.kill()
                process.wait()
                process = start()
                async with Redis.from_url(url) as redis:
                    assert await redis.keys("goodword:answer:*"), "the old answer is there"

                for _ in range(30):
                    for node in (here, there):
                        assert (await node.get(f"{FIND}/{code}")).status_code == 404
                    await asyncio.sleep(0.1)
        finally:
            process.kill()
            process.wait()
            alice.api = api


@pytest.mark.parametrize("settings", [{"cache": "off"}, {"redis_url": None}], ids=["off", "without redis"])
async def test_a_node_without_a_cache_outdates_those_of_the_others(
    database_url, api, alice, server, settings
):
    code = (await make_code(alice))["code"]
    async with (
        second_service(database_url, redis_url=server.url) as there,
        second_service(database_url, **{"redis_url": server.url, **settings}) as here,
    ):
        assert (await there.get(f"{FIND}/{code}")).status_code == 200
        alice.api = here
        assert (await alice.delete(f"/api/v1/me/referral-codes/{code}")).status_code == 204

        await until_gone(there, code)
    alice.api = api


@pytest.mark.one_database
@pytest.mark.parametrize(
    "nonsense", [b":1\r\n", b"*1\r\n:5\r\n", b"*0\r\n", b"+OK\r\n", b"*1\r\n*0\r\n", b"garbage"]
)
async def test_a_server_that_talks_nonsense_is_one_that_does_not_answer(database_url, api, alice, nonsense):
    async def talk(reader, writer):
        while await reader.read(4096):
            writer.write(nonsense)
            await writer.drain()
        writer.close()

    code = (await make_code(alice))["code"]
    async with await asyncio.start_server(talk, "127.0.0.1", 0) as liar:
        url = f"redis://127.0.0.1:{liar.sockets[0].getsockname()[1]}/0"
        async with second_service(database_url, redis_url=url) as node:
            assert (await node.get(f"{FIND}/{code}")).status_code == 200
            alice.api = node
            assert (await alice.delete(f"/api/v1/me/referral-codes/{code}")).status_code == 204
            assert (await node.get(f"{FIND}/{code}")).status_code == 404
    alice.api = api


@pytest.mark.one_database
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


@pytest.mark.one_database
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


@pytest.mark.parametrize("seconds_blocked", [0, 0.1])
async def test_the_breaker_judges_the_server_not_the_event_loop(server, seconds_blocked):
    client = RedisClient(server.url, "the cache")
    assert await client.ask(client.client.ping(), operation="PING")

    os.kill(server.pid, SIGSTOP)
    available = []
    for _ in range(MAX_LATE):
        asking = asyncio.create_task(client.ask(client.client.ping(), operation="PING"))
        await asyncio.sleep(0)
        time.sleep(seconds_blocked)  # noqa: ASYNC251  the subject of the test
        assert await asking is None
        available.append(client.is_available())
    os.kill(server.pid, SIGCONT)
    await client.close()

    assert available == ([True, True, False] if seconds_blocked else [False] * 3)


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
