"""A response 503 names its cause in the log, once, and a full disk has a code of its own."""

import asyncio
import math
from typing import Any

import pytest
from sqlalchemy import text

from goodword.db.database import Database
from goodword.db.replica import Replica
from people import register

ON_POSTGRES = pytest.mark.parametrize("database_kind", ["postgres"], scope="session")
RAISE = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{}'; END $$;
CREATE TRIGGER fail BEFORE INSERT ON users EXECUTE FUNCTION fail()
"""


@pytest.fixture
async def failing(app):
    """Let PostgreSQL refuse new users for a reason."""
    database = app.state.services.database

    async def run(statements):
        async with database.transaction() as session:
            connection = await session.connection()
            for statement in statements.split(";\n"):
                await connection.exec_driver_sql(statement)

    async def fail(sqlstate):
        await run(RAISE.format(sqlstate))

    yield fail
    await run("DROP FUNCTION IF EXISTS fail CASCADE")


@ON_POSTGRES
@pytest.mark.parametrize(
    ("sqlstate", "code", "cause"),
    [
        ("53100", "storage_full", "The disk of the database is full."),
        ("53300", "database_unavailable", "PostgreSQL has no free connection"),
        ("55P03", "database_unavailable", "Another transaction held a lock for too long."),
        ("57P01", "database_unavailable", "PostgreSQL is starting up or shutting down."),
    ],
)
async def test_the_cause_is_logged_once(api, app, failing, capsys, monkeypatch, sqlstate, code, cause):
    monkeypatch.setattr(app.state.services.database, "_full_at", -math.inf)  # and forget it after the test
    await failing(sqlstate)

    answer = await register(api, "alice")

    assert (answer.status_code, answer.json()["code"]) == (503, code)
    assert answer.headers["retry-after"] == "1"
    said = capsys.readouterr().out
    assert said.count("503: the database cannot be used") == said.count(cause) == 1


@ON_POSTGRES
async def test_an_exhausted_pool_is_named(app, api, database_url, capsys, monkeypatch):
    monkeypatch.setattr("goodword.db.engines.POOL_TIMEOUT", 0.1)
    database = Database(database_url, pool_size=2)
    engine = database.write_engine
    monkeypatch.setattr(app.state.services.database, "sessions", database.sessions)
    async with engine.connect():
        answer = await register(api, "alice")
    await database.close()

    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert capsys.readouterr().out.count("All connections of this process were in use") == 1


def connections_of(database):
    pools: list[Any] = [engine.pool for engine in (database.write_engine, database.read_engine)]
    return sum(pool.size() for pool in pools)


@ON_POSTGRES
@pytest.mark.parametrize(("processes", "size"), [(1, 20), (2, 19), (4, 9), (40, 4)])
async def test_the_pools_fit_what_the_server_allows(database_url, processes, size):
    """The server of the tests has 200 connections, of which 3 are reserved."""
    database, replica = Database(database_url, processes=processes), Database(database_url)
    database.replica = Replica(database, replica)
    await database.fit_pools()

    async def use():
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))

    await asyncio.gather(*(use() for _ in range(30)))
    await database.close()
    assert connections_of(database) == connections_of(replica) == size


@ON_POSTGRES
async def test_a_size_that_is_set_is_kept_and_checked(database_url, capsys):
    database = Database(database_url, pool_size=100, processes=2)
    await database.fit_pools()
    await database.close()

    assert connections_of(database) == 100
    assert "POOL_SIZE is more than PostgreSQL allows" in capsys.readouterr().out
