"""Periodic tasks of a process, which go on after any error."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from sqlalchemy.exc import SQLAlchemyError

from goodword.db.error_causes import describe

log = structlog.get_logger("goodword.periodic")


async def repeat(
    name: str, task: Callable[[], Awaitable[object]], *, every: float, sooner: asyncio.Event | None = None
) -> None:
    """Run a task at once and every so many seconds, until cancelled. `name` is its name in the log.

    `sooner` runs it before its time. An error of the database is logged once while it lasts.
    """
    reason, sooner = None, sooner or asyncio.Event()
    while True:
        sooner.clear()
        try:
            await task()
            reason = None
        except (SQLAlchemyError, OSError) as error:
            previous, reason = reason, describe(error)
            if reason != previous:
                log.warning("a periodic task failed and will run again", kind=name, error=reason)
        except Exception:
            log.exception("a periodic task failed and will run again", kind=name)
        with suppress(TimeoutError):
            async with asyncio.timeout(every):  # `wait_for` of Python 3.11 can lose a cancellation
                await sooner.wait()
