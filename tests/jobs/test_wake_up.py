"""On PostgreSQL a worker is woken by the commit of any other process, and survives the loss of that channel."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from goodword.db import Database
from goodword.jobs import service
from goodword.jobs.worker import Context, Worker


@pytest.fixture
async def woken(app, database_kind, database_url, monkeypatch):
    """A worker of another process that looks by itself once an hour, and what it did."""
    if database_kind == "sqlite":
        pytest.skip("SQLite has no such channel: its workers look every second")
    monkeypatch.setattr("goodword.jobs.worker.POLL_SECONDS", 3600)
    monkeypatch.setattr("goodword.jobs.listening.RETRY_SECONDS", 0.1)
    database, done = Database(database_url), asyncio.Queue()

    async def greet(_context, work):
        done.put_nowait(work.payload["n"])

    worker = Worker(Context(database, app.state.settings, app.state.clock), {"greet": greet})
    async with worker.running():
        await asyncio.sleep(0.5)  # it looks once, finds nothing, listens and waits
        yield done
    await database.close()


async def enqueue(app, n, *, fail=False, delay=timedelta(0)):
    now = app.state.clock()
    async with app.state.database.transaction() as session:
        service.enqueue(session, "greet", {"n": n}, now=now, run_at=now + delay)
        await session.flush()
        if fail:
            raise KeyError


async def test_it_is_woken_by_the_commit(app, woken):
    await enqueue(app, 1)

    async with asyncio.timeout(5):
        assert await woken.get() == 1


async def test_a_transaction_that_fails_wakes_nobody(app, woken, rows):
    with pytest.raises(KeyError):
        await enqueue(app, 1, fail=True)
    await asyncio.sleep(0.3)

    assert woken.empty()
    assert await rows("SELECT count(*) FROM jobs") == [(0,)]


async def test_it_listens_again_when_the_connection_is_lost(app, woken, rows):
    await rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND query LIKE 'LISTEN %'"
    )
    async with asyncio.timeout(10):
        while not await rows("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN %'"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.2)
    await enqueue(app, 2)

    async with asyncio.timeout(5):
        assert await woken.get() == 2


async def test_what_was_enqueued_while_nobody_listened_is_found_on_return(app, woken, rows, monkeypatch):
    monkeypatch.setattr("goodword.jobs.listening.RETRY_SECONDS", 1.0)
    await rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND query LIKE 'LISTEN %'"
    )
    await asyncio.sleep(0.2)
    async with app.state.database.transaction() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))  # no trigger, no NOTIFY
        service.enqueue(session, "greet", {"n": 3}, now=app.state.clock())

    async with asyncio.timeout(10):
        assert await woken.get() == 3
