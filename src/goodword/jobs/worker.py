"""The worker: claims what is due, hands it to its handler, several at once, and keeps the calendar."""

import asyncio
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError

from goodword.actor import Actor, ActorContext, actor_context
from goodword.jobs import listen, service
from goodword.jobs.service import ClaimedJob, JobFailed, PermanentFailure
from goodword.services import Services

POLL_SECONDS = 1.0
CONCURRENCY = 4
TIME_LIMIT_SECONDS = 45.0
"""Of a handler: well within the lease, so that no other worker begins before this one gave up."""
GRACE_SECONDS = 8.0
"""For the jobs in hand at the end: less than the ten seconds that Docker and systemd's users give."""

log = structlog.get_logger("goodword.jobs")


Handler = Callable[[Services, ClaimedJob], Awaitable[None]]
"""Does a job. It opens transactions of its own, and does what is slow outside of them."""
NodeTask = Callable[[Services], Awaitable[None]]


class Worker:
    """Runs handlers at least once for each job: they must do no harm when run again.

    A kind in `recurring` gets one job in each such span of time, however many workers there are. A chore is
    done by every worker, every so many seconds: what costs nothing when there is nothing to do.
    """

    def __init__(
        self,
        services: Services,
        handlers: Mapping[str, Handler],
        *,
        recurring: Mapping[str, timedelta] | None = None,
        concurrency: int = CONCURRENCY,
        concurrency_groups: Mapping[str, str] | None = None,
        node_tasks: Mapping[NodeTask, float] | None = None,
    ) -> None:
        self._services, self._handlers = services, handlers
        self._chores = node_tasks or {}
        self._recurring, self._planned = recurring or {}, dict[str, str]()
        self._concurrency, self._lanes = concurrency, concurrency_groups or {}
        self._holder = str(uuid4())
        self._woken = asyncio.Event()
        self._stopping = False
        self._running: dict[asyncio.Task[None], str] = {}
        services.database.observers.listeners[service.CHANNEL] = self._woken.set

    async def run(self) -> None:
        """Work until `stop`: when woken, and else every second, should the wake-up not come through."""
        async with self._doing_chores(), listen.listening(self._services.database, self._woken.set):
            while not self._stopping:
                self._woken.clear()  # before looking: what comes while we look wakes us again
                try:
                    await self._plan()
                    await self._begin_due()
                except (SQLAlchemyError, OSError) as error:
                    log.warning("the database does not answer the worker", error=type(error).__name__)
                except Exception:  # a worker that ended would not be missed until letters are
                    log.exception("the worker goes on")
                try:
                    await asyncio.wait_for(self._woken.wait(), POLL_SECONDS)
                except TimeoutError:
                    continue
            if self._running:
                await asyncio.wait(self._running)

    @asynccontextmanager
    async def _doing_chores(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._repeat(chore, every)) for chore, every in self._chores.items()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _repeat(self, chore: NodeTask, every: float) -> None:
        actor_context.set(ActorContext(Actor.SYSTEM, clock=self._services.clock))
        while True:
            try:
                await chore(self._services)
            except (SQLAlchemyError, OSError) as error:
                log.warning("a chore is left for later", error=type(error).__name__)
            except Exception:
                log.exception("a chore is left for later")
            await asyncio.sleep(every)

    def stop(self) -> None:
        """Begin nothing more; `run` returns when the jobs in hand are done."""
        self._stopping = True
        self._woken.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work beside the block. Jobs that take too long at the end are given back, for another to begin anew."""
        task = asyncio.create_task(self.run())
        try:
            yield
        finally:
            self.stop()
            await asyncio.wait({task}, timeout=GRACE_SECONDS)
            left = [task, *self._running]
            given_up = bool(self._running)
            for one in left:
                one.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            if given_up:
                await self._give_back()

    async def run_due(self) -> int:
        """Do all that is due now, one after the other. Returns how many attempts that took."""
        attempts = 0
        while not self._stopping and (work := await self._claim()):
            await self._do(work)
            attempts += 1
        return attempts

    async def _begin_due(self) -> None:
        while not self._stopping and len(self._running) < self._concurrency:
            work = await self._claim()
            if work is None:
                return
            task = asyncio.create_task(self._do_alone(work))
            self._running[task] = self._lanes.get(work.kind, work.kind)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._woken.set()  # there is room for another

    async def _claim(self) -> ClaimedJob | None:
        busy = Counter(self._running.values())
        # One lane never takes all the room: a mail server that hangs must not hold back everything else.
        most = max(1, self._concurrency - 1)
        kinds = [kind for kind in self._handlers if busy[self._lanes.get(kind, kind)] < most]
        async with self._services.database.transaction() as session:
            await session.connection()  # wait for the database first: the lease counts from after it
            return await service.claim(session, kinds, holder=self._holder, now=self._services.clock())

    async def _do_alone(self, work: ClaimedJob) -> None:
        try:
            await self._do(work)
        except (SQLAlchemyError, OSError) as error:  # its outcome is not written: the lease will run out
            log.warning("the database does not answer the worker", error=type(error).__name__)

    async def _do(self, work: ClaimedJob) -> None:
        error, hopeless = await self._attempt(work)
        async with self._services.database.transaction() as session:
            if error is None:
                await service.finish(session, work, now=self._services.clock())
            else:
                await service.fail(session, work, error=error, hopeless=hopeless, now=self._services.clock())

    async def _attempt(self, work: ClaimedJob) -> tuple[str | None, bool]:
        """Run the handler: what went wrong, and whether that is the end of it."""
        asked = actor_context.set(ActorContext(Actor.SYSTEM, clock=self._services.clock))
        try:
            async with asyncio.timeout(TIME_LIMIT_SECONDS):
                await self._handlers[work.kind](self._services, work)
        except Exception as error:  # noqa: BLE001  whatever it is, it must not end the worker
            what = _describe(error)
            log.warning("job failed", kind=work.kind, id=str(work.id), attempt=work.attempt, error=what)
            return what, isinstance(error, PermanentFailure)
        finally:
            actor_context.reset(asked)
        return None, False

    async def _plan(self) -> None:
        """See that there is a job for the present span of each recurring kind. Asks the database once a span."""
        now = self._services.clock()
        for kind, every in self._recurring.items():
            began = datetime.fromtimestamp(
                now.timestamp() // every.total_seconds() * every.total_seconds(), UTC
            )
            slot = f"{kind} {began:%Y-%m-%dT%H:%M}"
            if self._planned.get(kind) != slot:
                async with self._services.database.transaction() as session:
                    await service.enqueue_once(session, kind, {}, slot=slot, now=now)
                self._planned[kind] = slot

    async def _give_back(self) -> None:
        try:
            async with self._services.database.transaction() as session:
                await service.release(session, self._holder)
        except (SQLAlchemyError, OSError) as error:
            log.warning("leases are left to run out", error=type(error).__name__)


def _describe(error: Exception) -> str:
    """What went wrong, by kind and place: messages may hold addresses."""
    if isinstance(error, JobFailed):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
