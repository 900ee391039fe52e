"""Look-up cache: process memory in front of Redis or Valkey.

The database is the source of truth. Once a writer has its response, no process of its node (one `goodword serve`)
serves the old value, and one second later no other node does. `docs/decisions/0010-cache.md` explains how, also
while servers stall, fail and return.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from goodword.cache.memory import (
    MARKED,
    MAX_ENTRIES,
    CachedValue,
    CacheEntry,
    InvalidationTable,
    LocalCache,
)
from goodword.config.settings import Settings
from goodword.crypto import derive_key
from goodword.db.base import Base
from goodword.db.database import Database
from goodword.telemetry.metrics import CACHE_LOOKUPS, Metrics

if TYPE_CHECKING:
    from goodword.cache.redis_cache import RedisCache

LONGEST_TARGET = 256
"""Bytes of path and query. Longer requests are not cached by their text."""
NEAR = 0.5
"""Seconds a process may serve an entry without having heard from Redis."""
FOLLOW = 0.2
"""Seconds between two polls for invalidations of other nodes."""
FRESH = 0.4
"""Seconds for which the result of a poll is taken to be complete. With `NEAR`, below one second."""
PAUSE = 0.02
"""Seconds between two answers of Redis with invalidations, so that many do not take much time."""
FAR = 60.0
READER = 5.0
"""Seconds after which a reader no longer stores its result in the shared cache."""
HERE = "here:"
"""Prefix of names that are cached in process memory only. Other nodes learn of their invalidation after the commit."""
EVERYTHING = "*"
"""A name that invalidates all entries: they are too many to be named."""

log = structlog.get_logger("goodword.cache")
Target = tuple[str, bytes]
"""Path and query of a request, unchanged."""


class Epoch(Base):
    """One row whose id is part of every name in the shared cache. A new id invalidates all entries."""

    __tablename__ = "cache_epoch"


class LookupCache:
    """Caches responses of look-ups, as bytes. An empty value means that nothing was found.

    Before a transaction commits, a mark replaces the entries that it invalidates in the shared cache. Readers of
    the old rows cannot overwrite a mark. If the mark cannot be set, the transaction begins a new epoch.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        invalidations: InvalidationTable,
        clock: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:
        self._database, self._invalidations, self._clock = database, invalidations, clock
        self._enabled = settings.cache == "on"
        self._memory: LocalCache[bytes] = LocalCache(invalidations, clock, seconds=NEAR)
        self._names: dict[Target, str] = {}
        self._metrics = metrics
        self._epoch, self._epoch_version = "", 0
        """The epoch, and the version of `EVERYTHING` from before it was read."""
        # Needed without a cache too: other nodes may have cached what this one invalidates.
        self._shared: RedisCache | None = None
        if settings.redis:
            self._shared = _shared_cache(settings.redis, derive_key(settings.secret, "cache"))
        self._told: set[asyncio.Task[None]] = set()
        database.observers.cache = self

    def peek(self, target: Target) -> bytes | None:
        """Return the response to a request with this text, if process memory has it."""
        name = self._names.get(target)
        return self._peek(name) if name else None

    def _peek(self, name: str) -> bytes | None:
        found = self._memory.peek(name)
        if found is not None:
            self._metrics.add(CACHE_LOOKUPS, "memory")
        return found

    def note(self, target: Target, name: str) -> None:
        """Remember which name a request with this text looks up."""
        if self._enabled and len(target[0]) + len(target[1]) <= LONGEST_TARGET:
            self._names[target] = name
            if len(self._names) > MAX_ENTRIES:
                del self._names[next(iter(self._names))]

    async def get(self, name: str, load: Callable[[], Awaitable[CacheEntry[bytes]]]) -> bytes:
        """Return the value from memory, from the shared cache, or from `load`."""
        if not self._enabled:
            return (await load()).value
        if (known := self._peek(name)) is not None:
            return known

        def count_load() -> Awaitable[CacheEntry[bytes]]:
            self._metrics.add(CACHE_LOOKUPS, "database")
            return load()

        return await self._memory.get(name, lambda: self._look_up(name, count_load), invalidated_by=name)

    async def _look_up(
        self, name: str, load: Callable[[], Awaitable[CacheEntry[bytes]]]
    ) -> CacheEntry[bytes]:
        began, now = time.monotonic(), self._clock().timestamp()
        if (
            self._shared is None
            or not self._shared.is_available()
            or self._invalidations.version(self._invalidations.slot(EVERYTHING)) != self._epoch_version
            or began >= self._memory.invalidations_until
        ):
            return await load()
        epoch = self._epoch
        there = await self._shared.read(name)
        if there is None:
            return await load()
        known = self._shared.opened(name, epoch, there)
        if known is not None and known.until > now:
            self._metrics.add(CACHE_LOOKUPS, "redis")
            return CacheEntry(*known, told=True)
        found = await load()
        lifetime = min(found.until - now, FAR)
        # An entry with a shorter lifetime than a read could replace a mark and expire before a slower reader
        # stores what it read before the mark.
        if lifetime <= READER or time.monotonic() - began >= READER or there.startswith(MARKED):
            return found
        answer = CachedValue(found.value, now + lifetime)
        told = await self._shared.fill(name, epoch, there, answer, lifetime=lifetime)
        return CacheEntry(*answer, told=told)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Apply invalidations of other nodes while the block runs. Without this, the shared cache is not used."""
        if self._shared is None:
            yield
            return
        await self._follow(self._shared)
        stop = asyncio.Event()
        following = asyncio.create_task(self._keep_following(self._shared, stop))
        listening = asyncio.create_task(self._keep_listening(self._shared, stop))
        try:
            yield
        finally:
            listening.cancel()
            stop.set()  # not cancelled: it may be within a query
            await asyncio.gather(following, listening, return_exceptions=True)

    async def _keep_following(self, shared: "RedisCache", stop: asyncio.Event) -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(FOLLOW):
                    await stop.wait()
            try:
                await self._follow(shared)
            except Exception:  # any error: a poll that ends would disable the shared cache for good
                log.exception("the news of the cache could not be followed")
                self._memory.clear()

    async def _follow(self, shared: "RedisCache") -> None:
        began = time.monotonic()
        news = await shared.news()
        if news is None:
            return
        self._invalidate(news.slots)
        version = self._invalidations.version(self._invalidations.slot(EVERYTHING))
        try:
            row = await self._database.row(_EPOCH)
        except (DBAPIError, PoolTimeout, OSError):
            row = None
        if row is None:
            self._memory.clear()  # some invalidations may have been missed
            return
        # A restarted server has the entries of its last snapshot, without later marks.
        epoch = f"{row.id.hex} {news.server}"
        if news.missed or epoch != self._epoch:
            self._memory.clear()
            self._epoch = epoch
        self._epoch_version = version
        self._memory.invalidations_until = began + FRESH

    async def _keep_listening(self, shared: "RedisCache", stop: asyncio.Event) -> None:
        """Apply invalidations as they come. Only the polls notice if some are missed."""
        while not stop.is_set():  # `asyncio.wait_for` in redis-py can lose a cancellation on Python 3.11
            slots = await shared.next_news()
            self._invalidate(slots or [])
            await asyncio.sleep(FOLLOW if slots is None else PAUSE)

    def _invalidate(self, slots: Iterable[int]) -> None:
        for slot in slots:
            self._invalidations.invalidate(slot)

    async def before_commit(self, session: AsyncSession, names: Iterable[str]) -> None:
        slots = {name: self._invalidations.slot(name) for name in names if not name.startswith(HERE)}
        everything = slots.pop(EVERYTHING, None) is not None
        # Also without a shared cache here: another process of the operator may use one.
        if everything or (slots and (self._shared is None or not await self._shared.mark(slots))):
            await session.execute(update(Epoch).values(id=uuid7(), created_at=self._clock()))

    def after_commit(self, names: Iterable[str]) -> None:
        slots = {name: self._invalidations.slot(name) for name in names}
        self._invalidate(slots.values())
        if EVERYTHING in slots:
            self._invalidations.invalidate_all()
        private = [slot for name, slot in slots.items() if name.startswith(HERE)]
        if private and self._shared is not None:
            task = asyncio.create_task(self._shared.tell(private))
            self._told.add(task)
            task.add_done_callback(self._told.discard)

    def is_redis_available(self) -> bool | None:
        """Return whether Redis answered lately. None if none is configured."""
        return self._shared.is_available() if self._shared else None

    async def is_well(self) -> bool:
        """Return whether the shared cache responds. True if none is configured."""
        return self._shared is None or await self._shared.ping()

    async def close(self) -> None:
        if self._shared is not None:
            await asyncio.gather(*self._told)
            await self._shared.close()


def _shared_cache(url: str, key: bytes) -> "RedisCache":
    from goodword.cache.redis_cache import RedisCache

    return RedisCache(url, key)


_EPOCH = select(Epoch.id)
