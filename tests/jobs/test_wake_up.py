"""On PostgreSQL a worker is woken by the commit of any other process, and survives the loss of that channel."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from goodword.db.database import Database
from goodword.jobs import service
from goodword.jobs.worker import Worker

# SQLite has no such channel: what holds there is the first test.
ON_POSTGRES = pytest.mark.parametrize("database_kind", ["postgres"], scope="session")


@pytest.fixture
async def woken(working, monkeypatch):
    """What a worker of another process does that looks by itself once an hour."""
    monkeypatch.setattr("goodword.jobs.worker.POLL_SECONDS", 3600)
    monkeypatch.setattr("goodword.jobs.listen.RETRY_SECONDS", 0.1)
    async with working() as done:
        yield done


@pytest.fixture
def working(app, database_url):
    @asynccontextmanager
    async def work():
        """A worker of another process, and what it does."""
        database, done = Database(database_url), asyncio.Queue()

        async def greet(_services, work):
            done.put_nowait(work.payload["n"])

        worker = Worker(replace(app.state.services, database=database), {"greet": greet})
        async with worker.running():
            await asyncio.sleep(0.5)  # it looks once, finds nothing, listens and waits
            yield done
        await database.close()

    return work


async def enqueue(app, n, *, fail=False, delay=timedelta(0)):
    now = app.state.services.clock()
    async with app.state.services.database.transaction() as session:
        service.enqueue(session, "greet", {"n": n}, now=now, run_at=now + delay)
        await session.flush()
        if fail:
            raise KeyError


async def test_without_being_woken_it_looks_by_itself(app, working):
    """All that there is on SQLite: on PostgreSQL it may well be woken before."""
    async with working() as done:
        await enqueue(app, 1)

        async with asyncio.timeout(5):
            assert await done.get() == 1


@ON_POSTGRES
async def test_it_is_woken_by_the_commit(app, woken):
    await enqueue(app, 1)

    async with asyncio.timeout(5):
        assert await woken.get() == 1


@ON_POSTGRES
async def test_a_transaction_that_fails_wakes_nobody(app, woken, rows):
    with pytest.raises(KeyError):
        await enqueue(app, 1, fail=True)
    await asyncio.sleep(0.3)

    assert woken.empty()
    assert await rows("SELECT count(*) FROM jobs") == [(0,)]


@ON_POSTGRES
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


@ON_POSTGRES
async def test_what_was_enqueued_while_nobody_listened_is_found_on_return(app, woken, rows, monkeypatch):
    monkeypatch.setattr("goodword.jobs.listen.RETRY_SECONDS", 1.0)
    await rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND query LIKE 'LISTEN %'"
    )
    await asyncio.sleep(0.2)
    async with app.state.services.database.transaction() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))  # no trigger, no NOTIFY
        service.enqueue(session, "greet", {"n": 3}, now=app.state.services.clock())

    async with asyncio.timeout(10):
        assert await woken.get() == 3
