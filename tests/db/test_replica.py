"""A streaming replica of PostgreSQL for lists, counts, statistics and exports: as new as the primary, or not used."""

import asyncio
import os
from contextlib import asynccontextmanager
from signal import SIGQUIT

import asyncpg
import pytest
from sqlalchemy import select, text

from asgi import client_of, running, settings_for
from goodword import migrations
from goodword.app import create_app
from people import join, make_code, register
from servers import frozen, postgres_server, postgres_standby

pytestmark = pytest.mark.one_database
REFERRALS = "/api/v1/me/referrals"


@pytest.fixture(scope="module")
def primary():
    with postgres_server("--fsync=off") as server:
        asyncio.run(migrations.upgrade(server.url))
        yield server


@pytest.fixture
def standby(primary):
    with postgres_standby(primary) as server:
        yield server


@asynccontextmanager
async def service(primary, replica_url, tmp_path):
    settings = settings_for(primary.url, replica_url=replica_url, data_dir=tmp_path, rate_limits="off")
    async with running(create_app(settings)) as app, client_of(app) as client:
        yield client


async def run(server, statement):
    connection = await asyncpg.connect(server.url.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def until_replica_is(client, state):
    async with asyncio.timeout(30):
        while (await client.get("/readyz")).json()["checks"]["replica"] != state:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def until_read_there(client):
    """Wait until a read is served by the replica. On a busy machine it can be behind."""
    where = select(text("pg_is_in_recovery() AS is_replica"))
    async with asyncio.timeout(30):
        while not (await client.app.state.services.database.replica_rows(where))[0].is_replica:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def sees_friends(alice, names):
    """Let friends join, and look after each of them whether the list has them all."""
    code = (await make_code(alice))["code"]
    for n, name in enumerate(names, start=1):
        assert (await register(alice.api, name, referral_code=code)).status_code == 201
        answer = await alice.get(REFERRALS, params={"total": "true", "code": code})
        assert (answer.status_code, len(answer.json()["items"]), answer.json()["total"]) == (200, n, n)
    assert (await alice.delete(f"/api/v1/me/referral-codes/{code}")).status_code == 204


async def test_a_person_sees_each_write_in_lists_that_the_replica_serves(primary, standby, tmp_path):
    async with service(primary, standby.url, tmp_path) as client:
        alice = await join(client, "alice")
        await until_replica_is(client, "ok")
        await sees_friends(alice, [f"friend-{n}" for n in range(8)])
        await until_read_there(client)


async def test_what_the_replica_has_not_is_read_from_the_primary(primary, standby, tmp_path):
    async with service(primary, standby.url, tmp_path) as client:
        bob = await join(client, "bob")
        await until_replica_is(client, "ok")
        await run(standby, "SELECT pg_wal_replay_pause()")
        await sees_friends(bob, ["late-1", "late-2"])
        await until_replica_is(client, "degraded")

        await run(standby, "SELECT pg_wal_replay_resume()")
        await until_replica_is(client, "ok")
        await until_read_there(client)


async def test_a_replica_that_is_frozen_or_gone_fails_no_request(primary, standby, tmp_path):
    async with service(primary, standby.url, tmp_path) as client:
        carol = await join(client, "carol")
        await until_replica_is(client, "ok")
        with frozen(standby):
            await sees_friends(carol, ["frozen-1", "frozen-2"])
            await until_replica_is(client, "degraded")
        await until_read_there(client)

        os.kill(standby.pid, SIGQUIT)
        await sees_friends(carol, ["gone-1", "gone-2"])
        await until_replica_is(client, "degraded")
        assert (await client.get("/readyz")).status_code == 200


async def test_a_replica_that_is_away_at_the_start_fails_no_request(primary, tmp_path):
    with postgres_standby(primary) as standby:
        url = standby.url
    async with service(primary, url, tmp_path) as client:
        dave = await join(client, "dave")
        await until_replica_is(client, "degraded")
        await sees_friends(dave, ["dave-1"])


async def test_a_server_that_is_no_replica_is_not_used(primary, tmp_path):
    async with service(primary, primary.url, tmp_path) as client:
        erin = await join(client, "erin")
        await until_replica_is(client, "degraded")
        await sees_friends(erin, ["erin-1"])
