"""The worker: claims due jobs and runs their handlers, and enqueues recurring jobs."""

import asyncio
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, TimeoutError as PoolTimeout

from goodword.actor import Actor, ActorContext, acting_as
from goodword.db.error_causes import describe
from goodword.db.periodic import repeat
from goodword.db.statements import is_unavailable
from goodword.jobs import listen, service
from goodword.jobs.service import ClaimedJob, JobFailed, PermanentFailure
from goodword.services import Services
from goodword.telemetry.metrics import JOB_ATTEMPTS

POLL_SECONDS = 1.0
CONCURRENCY = 4
TIME_LIMIT_SECONDS = 45.0
"""For a handler. Shorter than the lease, so that no other worker starts the job before this one gives up."""
GRACE_SECONDS = 8.0
"""For running jobs at shutdown. Shorter than the ten seconds after which Docker kills the process."""

log = structlog.get_logger("goodword.jobs")


Handler = Callable[[Services, ClaimedJob], Awaitable[None]]
"""Runs a job. It opens its own transactions, and does slow work outside of them."""
NodeTask = Callable[[Services], Awaitable[None]]


class Worker:
    """Runs jobs at least once, so handlers must be idempotent.

    Each kind in `recurring` gets one job per period, however many workers there are. Every worker runs each of
    `node_tasks` at its interval in seconds. Kinds of one concurrency group share a limit: a part of `concurrency`, or
    that of the group in `group_limits`, which comes on top of it. Of `serial_kinds`, jobs with the same payload run one
    after the other.
    """

    def __init__(
        self,
        services: Services,
        handlers: Mapping[str, Handler],
        *,
        recurring: Mapping[str, timedelta] | None = None,
        concurrency: int = CONCURRENCY,
        concurrency_groups: Mapping[str, str] | None = None,
        group_limits: Mapping[str, int] | None = None,
        serial_kinds: Collection[str] = (),
        node_tasks: Mapping[NodeTask, float] | None = None,
    ) -> None:
        self._services, self._handlers = services, handlers
        self._node_tasks, self._first_due = node_tasks or {}, service.first_due(tuple(handlers))
        self._recurring, self._last_slots = recurring or {}, dict[str, str]()
        self._concurrency, self._groups = concurrency, concurrency_groups or {}
        self._limits, self._serial = group_limits or {}, serial_kinds
        self._id, self._wake, self._stopping = str(uuid4()), asyncio.Event(), False
        self._running: dict[asyncio.Task[None], str] = {}
        """The concurrency group of each task."""
        self._outage: str | None = None
        """Why the database cannot be used."""
        self._unrecorded: set[UUID] = set()
        """The jobs that ended during the outage."""
        services.database.observers.listeners[service.CHANNEL] = self._wake.set

    async def run(self) -> None:
        """Run jobs until `stop`. Look for due jobs when notified, and every second in case a notification is lost."""
        async with self._running_node_tasks(), listen.listening(self._services.database, self._wake.set):
            while not self._stopping:
                self._wake.clear()  # before the look, so that a later notification causes another
                try:
                    if not self._unrecorded:  # their leases may have expired, and they would run again
                        await self._enqueue_recurring()
                        await self._start_due()
                        self._note_outage(None)
                except (SQLAlchemyError, OSError) as error:
                    self._note_outage(error)
                except Exception:  # the worker must not end
                    log.exception("the worker continues after an unexpected error")
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._wake.wait()
            if self._running:
                await asyncio.wait(self._running)

    @asynccontextmanager
    async def _running_node_tasks(self) -> AsyncIterator[None]:
        actor = ActorContext(Actor.SYSTEM, clock=self._services.clock)
        with acting_as(actor):
            tasks = [
                asyncio.create_task(repeat(task.__name__, partial(task, self._services), every=every))
                for task, every in self._node_tasks.items()
            ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _note_outage(self, error: Exception | None) -> None:
        """Log the beginning, a change of the cause, and the end of an outage of the database."""
        previous, self._outage = self._outage, describe(error) if error else None
        if self._outage != previous:
            if self._outage:
                log.warning("waiting for the database", why=self._outage)
            else:
                log.info("the database can be used")

    @property
    def is_waiting(self) -> bool:
        """Return whether the worker waits for the database."""
        return self._outage is not None

    def stop(self) -> None:
        """Start no more jobs. `run` returns when the running jobs have ended."""
        self._stopping = True
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run jobs beside the block. Cancel and release jobs that do not end in time after it."""
        task = asyncio.create_task(self.run())
        try:
            yield
        finally:
            self.stop()
            await asyncio.wait({task}, timeout=GRACE_SECONDS)
            tasks, is_cut_off = [task, *self._running], bool(self._running)
            for one in tasks:
                one.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if is_cut_off:
                await self._release_leases()

    async def run_due(self) -> int:
        """Run all due jobs, one after the other. Return the number of attempts."""
        attempts = 0
        while not self._stopping and (job := await self._claim()):
            await self._process(job)
            attempts += 1
        return attempts

    async def _start_due(self) -> None:
        while not self._stopping:
            job = await self._claim()
            if job is None:
                return
            task = asyncio.create_task(self._process_in_background(job))
            self._running[task] = self._groups.get(job.kind, job.kind)
            task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._wake.set()

    async def _claim(self) -> ClaimedJob | None:
        """Lease the job that is due for longest. If none is due, this is one read without a transaction."""
        running = Counter(self._running.values())
        database, now = self._services.database, self._services.clock()
        first = await database.row(self._first_due, now=now) or ()
        due = sorted((at, kind) for kind, at in zip(self._handlers, first, strict=False) if at and at <= now)
        for _, kind in due:
            if self._has_room(self._groups.get(kind, kind), running):
                async with database.transaction() as session:
                    await session.connection()  # may wait, and the lease must begin after it
                    now = self._services.clock()
                    serial, worker_id = kind in self._serial, self._id
                    if job := await service.claim(session, kind, worker_id=worker_id, now=now, serial=serial):
                        return job
        return None

    def _has_room(self, group: str, running: Mapping[str, int]) -> bool:
        """Return whether another job of a group may run."""
        count = running.get(group, 0)
        if group in self._limits:
            return count < self._limits[group]
        # No group takes the whole concurrency: a mail server that hangs must not block everything else.
        shared = sum(number for other, number in running.items() if other not in self._limits)
        return shared < self._concurrency and count < max(1, self._concurrency - 1)

    async def _process_in_background(self, job: ClaimedJob) -> None:
        try:
            await self._process(job)
        except SQLAlchemyError as error:  # its outcome is not recorded, so the lease expires
            log.warning("the outcome of a job could not be recorded", kind=job.kind, error=describe(error))

    async def _process(self, job: ClaimedJob) -> None:
        error, is_permanent = await self._attempt(job)
        is_last = is_permanent or job.attempt >= service.MAX_ATTEMPTS
        outcome = "done" if error is None else "dead" if is_last else "failed"
        self._services.metrics.add(JOB_ATTEMPTS, job.kind, outcome)
        try:
            await self._record(job, error, is_permanent=is_permanent)
        finally:
            self._unrecorded.discard(job.id)

    async def _record(self, job: ClaimedJob, error: str | None, *, is_permanent: bool) -> None:
        """Record the outcome of an attempt, and wait for the database if need be."""
        while True:
            try:
                async with self._services.database.transaction() as session:
                    now = self._services.clock()
                    if error is None:
                        await service.finish(session, job, now=now)
                    else:
                        await service.fail(session, job, error=error, permanent=is_permanent, now=now)
            except (DBAPIError, PoolTimeout, OSError) as outage:
                if isinstance(outage, DBAPIError) and not is_unavailable(outage):
                    raise
                self._note_outage(outage)
                self._unrecorded.add(job.id)
            else:
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _attempt(self, job: ClaimedJob) -> tuple[str | None, bool]:
        """Run the handler. Return its error, and whether that is permanent."""
        try:
            with acting_as(ActorContext(Actor.SYSTEM, clock=self._services.clock)), self._span(job):
                async with asyncio.timeout(TIME_LIMIT_SECONDS):
                    await self._handlers[job.kind](self._services, job)
        except Exception as error:  # noqa: BLE001  no handler may end the worker
            text = _describe(error)
            log.warning("job failed", kind=job.kind, id=str(job.id), attempt=job.attempt, error=text)
            return text, isinstance(error, PermanentFailure)
        return None, False

    def _span(self, job: ClaimedJob) -> AbstractContextManager[object]:
        tracing = self._services.tracing
        return tracing.job(job.kind, job.attempt, continues=job.traceparent) if tracing else nullcontext()

    async def _enqueue_recurring(self) -> None:
        """Enqueue the job of the current period of each recurring kind. Query the database once per period."""
        now = self._services.clock()
        for kind, every in self._recurring.items():
            seconds = every.total_seconds()
            start = datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)
            slot = f"{kind} {start:%Y-%m-%dT%H:%M}"
            if self._last_slots.get(kind) != slot:
                async with self._services.database.transaction() as session:
                    await service.enqueue_once(session, kind, {}, slot=slot, now=now)
                self._last_slots[kind] = slot

    async def _release_leases(self) -> None:
        try:
            async with self._services.database.transaction() as session:
                await service.release_all(session, self._id)
        except (SQLAlchemyError, OSError) as error:
            log.warning("leases could not be released and will expire", error=describe(error))


def _describe(error: Exception) -> str:
    """Return the type and place of an error, without its message, which may contain an address."""
    if isinstance(error, JobFailed):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
