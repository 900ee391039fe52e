"""The worker: claims what is due, one job after the other, and hands it to its handler."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError

from goodword.db import Database
from goodword.jobs import service
from goodword.jobs.service import Work
from goodword.outside import Outside
from goodword.settings import Settings

POLL_SECONDS = 1.0
TIME_LIMIT_SECONDS = 45.0
"""Of a handler: well within the lease, so that no other worker begins before this one gave up."""
GRACE_SECONDS = 10.0

log = structlog.get_logger("goodword.jobs")


@dataclass(frozen=True, slots=True)
class Context:
    """What handlers work with. Each opens transactions of its own, and does what is slow outside of them."""

    database: Database
    settings: Settings
    clock: Callable[[], datetime]
    outside: Outside = field(default_factory=Outside)
    """How other services are asked; connected to none before that."""


Handler = Callable[[Context, Work], Awaitable[None]]


class Worker:
    """Runs handlers at least once for each job: they must do no harm when run again."""

    def __init__(self, context: Context, handlers: Mapping[str, Handler]) -> None:
        self._context, self._handlers = context, handlers
        self._holder = str(uuid4())
        self._woken = asyncio.Event()
        self._stopping = False
        # Whoever enqueues in this process wakes it, after the commit.
        context.database.info[service.WAKE] = self._woken.set

    async def run(self) -> None:
        """Work until `stop`: when woken, and else every second, for other processes enqueue too."""
        while not self._stopping:
            self._woken.clear()  # before looking: what comes while we look wakes us again
            try:
                await self.run_due()
            except (SQLAlchemyError, OSError) as error:
                log.warning("the database does not answer the worker", error=type(error).__name__)
            try:
                await asyncio.wait_for(self._woken.wait(), POLL_SECONDS)
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Begin nothing more; `run` returns when the job in hand is done."""
        self._stopping = True
        self._woken.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work beside the block. A job that takes too long at the end is left to its lease."""
        task = asyncio.create_task(self.run())
        try:
            yield
        finally:
            self.stop()
            await asyncio.wait({task}, timeout=GRACE_SECONDS)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def run_due(self) -> int:
        """Do all that is due now. Returns how many attempts that took."""
        attempts = 0
        while not self._stopping and await self._step():
            attempts += 1
        return attempts

    async def _step(self) -> bool:
        database, clock = self._context.database, self._context.clock
        async with database.transaction() as session:
            await session.connection()  # wait for the database first: the lease counts from after it
            work = await service.claim(session, self._handlers.keys(), holder=self._holder, now=clock())
        if work is None:
            return False
        error = await self._attempt(work)
        async with database.transaction() as session:
            if error is None:
                await service.finish(session, work, now=clock())
            else:
                await service.fail(session, work, error=error, now=clock())
        return True

    async def _attempt(self, work: Work) -> str | None:
        """Run the handler. What went wrong is named by kind and place: messages may hold addresses."""
        try:
            async with asyncio.timeout(TIME_LIMIT_SECONDS):
                await self._handlers[work.kind](self._context, work)
        except Exception as error:  # noqa: BLE001  whatever it is, it must not end the worker
            place = traceback.extract_tb(error.__traceback__)[-1]
            name = f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
            log.warning("job failed", kind=work.kind, id=str(work.id), attempt=work.attempt, error=name)
            return name
        return None
