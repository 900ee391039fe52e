"""On PostgreSQL the commit of any process wakes a worker, which survives a lost connection."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from goodword.db.database import Database
from goodword.jobs import service
from goodword.jobs.worker import Worker

PATIENCE = 60
# SQLite has no notifications: the first test covers it.
ON_POSTGRES = pytest.mark.parametrize("database_kind", ["postgres"], scope="session")


@pytest.fixture
async def woken(working, rows, monkeypatch):
    """Yield the payloads that a worker of another process runs. It polls once an hour."""
    monkeypatch.setattr("goodword.jobs.worker.POLL_SECONDS", 3600)
    monkeypatch.setattr("goodword.jobs.listen.RETRY_SECONDS", 0.1)
    async with working() as done:
        await listener(rows)
        yield done


async def listener(rows, *, gone=None):
    """Wait for the connection of the worker that listens, and return its number; or wait until it is gone."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'"
    async with asyncio.timeout(PATIENCE):
        while True:
            found = [pid for (pid,) in await rows(f"{query} AND state = 'idle'")]
            if gone is None and found:
                return found[0]
            if gone is not None and gone not in found:
                return None
            await asyncio.sleep(0.05)


async def lose_connection(rows):
    pid = await listener(rows)
    await rows(f"SELECT pg_terminate_backend({pid})")
    await listener(rows, gone=pid)


@pytest.fixture
def working(app, database_url):
    @asynccontextmanager
    async def work():
        """Run a worker like one of another process, and yield the payloads that it runs."""
        database, done = Database(database_url), asyncio.Queue()

        async def greet(_services, work):
            done.put_nowait(work.payload["n"])

        worker = Worker(replace(app.state.services, database=database), {"greet": greet})
        async with worker.running():
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


async def test_the_worker_polls(app, working):
    # On SQLite there are no notifications; on PostgreSQL one may come first.
    async with working() as done:
        await enqueue(app, 1)

        async with asyncio.timeout(PATIENCE):
            assert await done.get() == 1


@ON_POSTGRES
async def test_a_commit_wakes_a_worker_of_another_process(app, woken):
    await enqueue(app, 1)

    async with asyncio.timeout(PATIENCE):
        assert await woken.get() == 1


@ON_POSTGRES
async def test_a_rolled_back_transaction_does_not_wake_the_worker(app, woken, rows):
    with pytest.raises(KeyError):
        await enqueue(app, 1, fail=True)
    await asyncio.sleep(0.3)

    assert woken.empty()
    assert await rows("SELECT count(*) FROM jobs") == [(0,)]


@ON_POSTGRES
async def test_the_worker_listens_again_after_a_lost_connection(app, woken, rows):
    await lose_connection(rows)
    await listener(rows)
    await enqueue(app, 2)

    async with asyncio.timeout(PATIENCE):
        assert await woken.get() == 2


@ON_POSTGRES
async def test_jobs_enqueued_during_the_loss_are_found(app, woken, rows, monkeypatch):
    monkeypatch.setattr("goodword.jobs.listen.RETRY_SECONDS", 1.0)
    await lose_connection(rows)
    async with app.state.services.database.transaction() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))  # no trigger, no NOTIFY
        service.enqueue(session, "greet", {"n": 3}, now=app.state.services.clock())

    async with asyncio.timeout(PATIENCE):
        assert await woken.get() == 3
