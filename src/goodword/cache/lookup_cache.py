"""What was looked up a moment ago: in the memory of each process and, where one is set, in Redis or Valkey.

The database is right; this saves asking it. Nobody may be shown what a transaction has outdated: not in this
node (one `goodword serve`, however many processes) once the writer has its answer, and nowhere else a second
later. `docs/decisions/0010-cache.md` says how, and why that holds while servers stall, die and come back.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from goodword.cache.memory import MAX_ENTRIES, CacheEntry, InvalidationTable, LocalCache
from goodword.cache.redis_cache import MARKED, CachedValue, RedisCache
from goodword.db.base import Base
from goodword.db.database import Database

LONGEST_TARGET = 256
"""A request may be asked in any number of words; those that are this long are not remembered."""
NEAR = 0.5
"""Seconds for which a process serves what it found without hearing from anybody."""
FOLLOW = 0.2
"""Seconds between two looks at what changed elsewhere."""
FRESH = 0.4
"""Seconds after such a look for which nothing else is taken to have changed. With `NEAR`, below one second."""
FAR = 60.0
READER = 5.0
"""Seconds after which a reader no longer puts what it found into the shared cache."""
HERE = "here:"
"""How names begin of what is only kept in the memory of processes."""

log = structlog.get_logger("goodword.cache")
Target = tuple[str, bytes]
"""Path and query of a request, as they came."""


class Epoch(Base):
    """The one row whose id is in the name of all that is in the shared cache: a new id empties it for everyone."""

    __tablename__ = "cache_epoch"


class LookupCache:
    """Answers of look-ups, each a text of bytes; none is an empty one.

    Before a transaction that outdates some is committed, a mark takes their place in the shared cache, over
    which nobody puts what they read before. Where the mark cannot be set, the transaction itself begins a new
    epoch.
    """

    def __init__(
        self,
        database: Database,
        board: InvalidationTable,
        *,
        clock: Callable[[], datetime],
        key: bytes,
        redis_url: str | None,
        enabled: bool = True,
    ) -> None:
        self._database, self._board, self._clock, self._enabled = database, board, clock, enabled
        self._memory: LocalCache[bytes] = LocalCache(board, clock, seconds=NEAR)
        self._names: dict[Target, str] = {}
        self._epoch = ""
        # Also where no answers are wanted: the other nodes may want to hear what is outdated by this one.
        self._shared = RedisCache(redis_url, key) if redis_url else None
        database.observers.cache = self

    def peek(self, target: Target) -> bytes | None:
        """The answer to a request in these very words, if it is known at this moment without asking anybody."""
        name = self._names.get(target)
        return self._memory.peek(name) if name else None

    def note(self, target: Target, name: str) -> None:
        """Requests in these words ask for what has that name."""
        if self._enabled and len(target[0]) + len(target[1]) <= LONGEST_TARGET:
            self._names[target] = name
            if len(self._names) > MAX_ENTRIES:
                del self._names[next(iter(self._names))]

    async def get(self, name: str, load: Callable[[], Awaitable[CacheEntry[bytes]]]) -> bytes:
        """The answer under that name: from memory, from the shared cache, or from `load`."""
        if not self._enabled:
            return (await load()).value
        return await self._memory.get(name, lambda: self._look_up(name, load), invalidated_by=name)

    async def _look_up(
        self, name: str, load: Callable[[], Awaitable[CacheEntry[bytes]]]
    ) -> CacheEntry[bytes]:
        began, now = time.monotonic(), self._clock().timestamp()
        if (
            self._shared is None
            or not self._shared.is_available()
            or began >= self._memory.invalidations_until
        ):
            return await load()
        epoch = self._epoch
        there = await self._shared.read(name)
        if there is None:
            return await load()
        known = self._shared.opened(name, epoch, there)
        if known is not None and known.until > now:
            return CacheEntry(*known, told=True)
        found = await load()
        window_ms = min(found.until - now, FAR)
        # An answer that stands shorter than a reader takes could replace a mark, and be gone before a slower
        # reader comes with what it read before the mark.
        if window_ms <= READER or time.monotonic() - began >= READER or there.startswith(MARKED):
            return found
        answer = CachedValue(found.value, now + window_ms)
        told = await self._shared.fill(name, epoch, there, answer, window_ms=window_ms)
        return CacheEntry(*answer, told=told)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Hear of what changes elsewhere, as long as the block runs. Without that nothing shared is used."""
        if self._shared is None or not self._enabled:
            yield
            return
        await self._follow(self._shared)
        stop = asyncio.Event()
        task = asyncio.create_task(self._keep_following(self._shared, stop))
        try:
            yield
        finally:
            stop.set()  # not cancelled: it may be in the middle of a question to the database
            await task

    async def _keep_following(self, shared: RedisCache, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), FOLLOW)
            try:
                await self._follow(shared)
            except Exception:  # whatever it is: who no longer followed would have no shared cache for good
                log.exception("the news of the cache could not be followed")
                self._memory.clear()

    async def _follow(self, shared: RedisCache) -> None:
        began = time.monotonic()
        news = await shared.news()
        if news is None:
            return
        try:
            row = await self._database.row(_EPOCH)
        except (DBAPIError, PoolTimeout, OSError):
            row = None
        if row is None:
            self._memory.clear()  # the news was taken, and what it says is not known to be all
            return
        # The server too: one that was started anew has what it saved at some time, with marks missing.
        epoch = f"{row.id.hex} {news.server}"
        if news.missed or epoch != self._epoch:
            self._memory.clear()
            self._epoch = epoch
        for slot in news.slots:
            self._board.turn(slot)
        self._memory.invalidations_until = began + FRESH

    async def before_commit(self, session: AsyncSession, names: Iterable[str]) -> None:
        slots = {name: self._board.slot(name) for name in names if not name.startswith(HERE)}
        # Also where there is no shared cache here: a shell of the operator's may know nothing of it.
        if slots and (self._shared is None or not await self._shared.mark(slots)):
            await session.execute(update(Epoch).values(id=uuid7(), created_at=self._clock()))

    def after_commit(self, names: Iterable[str]) -> None:
        for name in names:
            self._board.turn(self._board.slot(name))

    async def is_well(self) -> bool:
        """Whether the shared cache answers; always, where there is none to fail."""
        return self._shared is None or await self._shared.ping()

    async def close(self) -> None:
        if self._shared is not None:
            await self._shared.close()


_EPOCH = select(Epoch.id)
