"""Statements on SQLite run in one call of the connection's thread, with the results that SQLAlchemy promises."""

import asyncio
import logging
from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from goodword.db.database import Database

EDGES = text("SELECT n FROM numbers ORDER BY n")


@pytest.fixture
async def database(tmp_path):
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'numbers.sqlite3'}")
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY, name TEXT)"))
        rows = [{"n": n, "name": f"number {n}"} for n in range(5)]
        await session.execute(text("INSERT INTO numbers VALUES (:n, :name)"), rows)
    yield database
    await database.close()


def calls(caplog):
    return sum(record.message.startswith("executing") for record in caplog.records)


async def test_a_statement_is_one_call(database, caplog):
    await database.rows(EDGES)  # connects
    with caplog.at_level(logging.DEBUG, logger="aiosqlite"):
        assert await database.rows(EDGES) == [(n,) for n in range(5)]
    assert calls(caplog) == 1

    caplog.clear()
    with caplog.at_level(logging.DEBUG, logger="aiosqlite"):
        async with database.transaction() as session:
            await session.execute(text("UPDATE numbers SET name = NULL WHERE n = 4"))
    assert calls(caplog) == len(["BEGIN", "UPDATE", "COMMIT"])


async def test_counts_and_returned_rows(database):
    async with database.transaction() as session:
        updated = await session.execute(text("UPDATE numbers SET name = 'x' WHERE n < 3"))
        assert updated.rowcount == 3
        deleted = await session.execute(text("DELETE FROM numbers WHERE n > 2 RETURNING n, name"))
        assert deleted.mappings().all() == [{"n": 3, "name": "number 3"}, {"n": 4, "name": "number 4"}]
        assert (await session.execute(EDGES)).first() == (0,)
        assert (await session.execute(EDGES)).partitions(2).send(None) == [(0,), (1,)]


async def test_a_failed_transaction_leaves_nothing(database):
    with suppress(IntegrityError):
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO numbers VALUES (5, 'five')"))
            await session.execute(text("INSERT INTO numbers VALUES (1, 'one again')"))
            pytest.fail("a duplicate was inserted")

    assert await database.rows(EDGES) == [(n,) for n in range(5)]


async def test_a_cancelled_transaction_leaves_nothing(database):
    async def insert_slowly():
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO numbers VALUES (5, 'five')"))
            entered.set()
            await asyncio.Event().wait()

    entered = asyncio.Event()
    task = asyncio.create_task(insert_slowly())
    await entered.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    async with database.transaction() as session:
        assert (await session.execute(EDGES)).scalars().all() == list(range(5))
