"""Being woken by other processes: PostgreSQL's LISTEN, on a connection that the worker keeps to itself."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from goodword.db.database import Database
from goodword.jobs.service import CHANNEL

CHECK_SECONDS = 20.0
RETRY_SECONDS = 2.0

log = structlog.get_logger("goodword.jobs")


@asynccontextmanager
async def listening(database: Database, wake: Callable[[], None]) -> AsyncIterator[None]:
    """Call `wake` within the block whenever somebody has enqueued something.

    Only a wish: behind PgBouncer, or while the connection is down, the worker finds jobs by looking. SQLite
    has no such thing; there a worker of another process looks every second, too.
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
        with suppress(SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await _listen(database, wake)
        log.info("listens anew for jobs")
        await asyncio.sleep(RETRY_SECONDS)


async def _listen(database: Database, wake: Callable[[], None]) -> None:
    """Until the connection is lost, which raises or returns. TimeoutError is an OSError."""
    async with database.read_engine.connect() as pooled:
        connection = (await pooled.get_raw_connection()).driver_connection
        assert isinstance(connection, asyncpg.Connection)
        closed = asyncio.Event()
        connection.add_termination_listener(lambda _: closed.set())
        try:
            await connection.add_listener(CHANNEL, lambda *_: wake())
            wake()  # for what was enqueued before
            while not closed.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(closed.wait(), CHECK_SECONDS)
                await connection.execute("SELECT 1")  # a connection can die without a word
        finally:
            await pooled.invalidate()  # it listens, so nobody else is to get it
