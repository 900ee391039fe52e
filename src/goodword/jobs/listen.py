"""Wake the worker when another process adds a job: LISTEN of PostgreSQL, on a connection of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from goodword.db.database import Database
from goodword.db.server_watch import DRIVER_ERRORS
from goodword.jobs.service import CHANNEL

CHECK_SECONDS = 20.0
RETRY_SECONDS = 2.0

log = structlog.get_logger("goodword.jobs")


@asynccontextmanager
async def listening(database: Database, wake: Callable[[], None]) -> AsyncIterator[None]:
    """Call `wake` within the block when any process has committed a job.

    Notifications can be lost, behind PgBouncer or while the connection is down, and SQLite has none. So the worker
    also polls.
    """
    if database.is_sqlite:
        yield
        return
    task = asyncio.create_task(_keep_listening(database, wake))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _keep_listening(database: Database, wake: Callable[[], None]) -> None:
    while True:
        has_listened = asyncio.Event()
        with suppress(SQLAlchemyError, *DRIVER_ERRORS):
            await _listen(database, wake, has_listened)
        if has_listened.is_set():
            log.info("connects again to listen for jobs")
        await asyncio.sleep(RETRY_SECONDS)


async def _listen(database: Database, wake: Callable[[], None], has_listened: asyncio.Event) -> None:
    """Listen until the connection is lost, then raise or return. TimeoutError is an OSError."""
    async with database.read_engine.connect() as pooled:
        connection = (await pooled.get_raw_connection()).driver_connection
        assert isinstance(connection, asyncpg.Connection)
        closed = asyncio.Event()
        connection.add_termination_listener(lambda _: closed.set())
        try:
            await connection.add_listener(CHANNEL, lambda *_: wake())
            has_listened.set()
            wake()  # for jobs that were committed before
            while not closed.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(CHECK_SECONDS):
                        await closed.wait()
                await connection.execute("SELECT 1")  # detects a connection that was lost without notice
        finally:
            await pooled.invalidate()  # it still listens, so it must not return to the pool
