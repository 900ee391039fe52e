"""What one node revokes the others refuse: at once with Redis or Valkey, and without it when their cache expires."""

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from signal import SIGCONT, SIGKILL, SIGSTOP

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from goodword import composition
from goodword.sessions import keys
from people import PASSWORD, join
from second_service import second_service
from servers import valkey

ME = "/api/v1/me"
pytestmark = pytest.mark.one_database


@pytest.fixture
def server():
    with valkey() as found:
        yield found


@asynccontextmanager
async def two_nodes(database_url, server):
    async with (
        second_service(database_url, redis_url=server.url) as here,
        second_service(database_url, redis_url=server.url) as there,
    ):
        yield here, there


@pytest.fixture
def never_expires(monkeypatch):
    """Nodes never ask the database again for what is in their caches."""
    monkeypatch.setattr(composition, "REMEMBERED", 3600.0)
    monkeypatch.setattr(keys, "WATCH_SECONDS", 3600.0)


async def is_refused(person, node, *, within=30.0):
    """Return whether the node refuses the token of the person in time. Until then it answers."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            while (answer := await replace(person, api=node).get(ME)).status_code != 401:
                assert answer.status_code == 200
                await asyncio.sleep(0.01)
            return True
    return False


async def is_heard(revoke, here, there, rita):
    """Return whether one node hears what the other revokes, if not the first time, then later.

    Redis may count as silent for a second, after a fault or on a busy machine.
    """
    for n in range(20):
        name = f"{revoke.__name__}-{n}".replace("_", "-")
        person = await join(here, name)
        assert (await replace(person, api=there).get(ME)).status_code == 200
        await revoke(person, replace(rita, api=here))
        if await is_refused(person, there, within=1.5):
            return True
    return False


async def end_session(alice, _rita):
    assert (await alice.delete(f"{ME}/sessions/current")).status_code == 204


async def end_all_sessions(alice, _rita):
    assert (await alice.delete(f"{ME}/sessions")).status_code == 204


async def change_password(alice, _rita):
    other = replace(alice)
    await other.sign_in()
    change = {"current_password": PASSWORD, "new_password": "eight lanterns on the hill"}
    assert (await other.call("PUT", f"{ME}/password", json=change)).status_code == 204


async def disable(alice, rita):
    assert (await rita.post(f"/api/v1/admin/users/{alice.id}/disable", None)).status_code == 200


async def erase(alice, _rita):
    assert (await alice.call("DELETE", ME, json={"password": PASSWORD})).status_code == 204


async def rotate_keys(alice, _rita):
    services = alice.api.app.state.services
    async with services.database.transaction() as session:
        await keys.rotate(session, services.keys.signing_keys, at_once=True, now=services.clock())


REVOCATIONS = [end_session, end_all_sessions, change_password, disable, erase, rotate_keys]


async def test_every_revocation_is_heard_by_the_other_node(database_url, rita, server, never_expires):
    async with two_nodes(database_url, server) as (here, there):
        for revoke in REVOCATIONS:
            assert await is_heard(revoke, here, there, rita), revoke.__name__


async def stall(server, _node):
    os.kill(server.pid, SIGSTOP)
    await asyncio.sleep(0.6)
    os.kill(server.pid, SIGCONT)


async def empty(server, _node):
    async with Redis.from_url(server.url) as redis:
        await redis.flushall()


async def spoil(server, _node):
    async with Redis.from_url(server.url) as redis:
        await redis.set("goodword:news", b"another type")


async def cut(server, _node):
    async with Redis.from_url(server.url) as redis:
        await redis.execute_command("CLIENT", "KILL", "TYPE", "normal")


@pytest.mark.parametrize("fault", [stall, empty, spoil, cut], ids=lambda fault: fault.__name__)
async def test_they_are_heard_again_after_a_fault(database_url, rita, server, never_expires, fault):
    async with two_nodes(database_url, server) as (here, there):
        await fault(server, there)

        assert await is_heard(end_session, here, there, rita)


@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True, scope="session")
async def test_they_are_heard_after_a_restart_of_postgresql(database_url, rita, server, never_expires):
    async with two_nodes(database_url, server) as (here, there):
        database = rita.api.app.state.services.database
        async with database.transaction() as session:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            await session.execute(text(f"{others} AND datname = current_database()"))
        await database.write_engine.dispose()  # the test itself adds users, and repeats nothing

        assert await is_heard(end_session, here, there, rita)


@pytest.mark.parametrize("signal", [SIGSTOP, SIGKILL])
async def test_without_an_answer_they_are_noticed_when_the_cache_expires(
    database_url, rita, server, monkeypatch, signal
):
    monkeypatch.setattr(composition, "REMEMBERED", 0.5)
    async with two_nodes(database_url, server) as (here, there):
        alice = replace(await join(rita.api, "alice"), api=here)
        os.kill(server.pid, signal)
        assert (await replace(alice, api=there).get(ME)).status_code == 200

        await end_session(alice, rita)

        assert await is_refused(alice, there)
