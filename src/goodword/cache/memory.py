"""The in-process part of the cache, and the table of invalidations that all processes of a node share."""

import asyncio
import mmap
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar
from zlib import crc32

MAX_ENTRIES = 10_000
MARKED = b"mark:"
"""The beginning of a mark, which replaces an invalid value in the shared cache."""

T = TypeVar("T")


class InvalidationTable:
    """A version for each slot of names, which changes when an entry under one of the names is invalidated.

    Processes that are forked later share the table.
    """

    SLOTS = 16_384

    def __init__(self) -> None:
        self._versions = memoryview(mmap.mmap(-1, self.SLOTS * 8)).cast("Q")

        self.listeners: dict[int, Callable[[], None]] = {}
        """By slot. This process calls one when it invalidates the slot."""

    def slot(self, name: str) -> int:
        return crc32(name.encode()) % self.SLOTS

    def version(self, slot: int) -> int:
        return self._versions[slot]

    def invalidate(self, slot: int) -> None:
        # Random, not incremented: two processes would increment to the same number.
        slot %= self.SLOTS
        self._versions[slot] = secrets.randbits(64)
        if listener := self.listeners.get(slot):
            listener()

    def invalidate_all(self) -> None:
        """Invalidate all slots, without the listeners: they reload nothing that is cached."""
        self._versions[:] = memoryview(secrets.token_bytes(self.SLOTS * 8)).cast("Q")


class CacheEntry(NamedTuple, Generic[T]):
    """The result of a look-up, and the time (seconds since 1970) until which it can be valid."""

    value: T
    until: float
    told: bool = False
    """Whether invalidations of the entry are received: the shared cache has it, without a mark."""


class CachedValue(NamedTuple):
    """A value in the shared cache, and the time (seconds since 1970) until which it can be valid."""

    value: bytes
    until: float


@dataclass(slots=True, eq=False)
class _LookUp(Generic[T]):
    """A look-up, running or finished. `version` is that of its slot from before it began."""

    slot: int
    version: int
    good_until: float
    task: asyncio.Task[CacheEntry[T]] | None = None
    found: CacheEntry[T] | None = None


class LocalCache(Generic[T]):
    """Caches values in process memory. Concurrent callers share one look-up.

    Each value has a name, and a name, perhaps the same, by which it is invalidated.
    """

    def __init__(
        self, invalidations: InvalidationTable, clock: Callable[[], datetime], *, seconds: float
    ) -> None:
        self._invalidations, self._clock, self._seconds = invalidations, clock, seconds
        self._kept: OrderedDict[str, _LookUp[T]] = OrderedDict()
        self.invalidations_until = 0.0
        """Time until which entries whose invalidations are received are known to be valid."""

    def peek(self, name: str) -> T | None:
        """Return the value from memory, or None."""
        kept = self._kept.get(name)
        if kept is None or kept.found is None or not self._is_good(kept):
            return None
        return kept.found.value if self._clock().timestamp() < kept.found.until else None

    async def get(
        self, name: str, look_up: Callable[[], Awaitable[CacheEntry[T]]], *, invalidated_by: str
    ) -> T:
        """Return the value from memory, or call `look_up` once for all concurrent callers.

        Raises whatever `look_up` raises; errors are not cached.
        """
        known = self.peek(name)
        if known is not None:
            return known
        kept = self._kept.get(name)
        if kept is None or kept.task is None or not self._is_good(kept):
            kept = self._begin(name, look_up, invalidated_by)
        assert kept.task is not None
        # Shielded: one caller may be cancelled without ending the look-up of the others.
        return (await asyncio.shield(kept.task)).value

    def _begin(
        self, name: str, look_up: Callable[[], Awaitable[CacheEntry[T]]], invalidated_by: str
    ) -> _LookUp[T]:
        slot = self._invalidations.slot(invalidated_by)
        # Both from before the look-up: a change while it runs invalidates it, and its duration is not added.
        version, good_until = self._invalidations.version(slot), time.monotonic() + self._seconds
        kept: _LookUp[T] = _LookUp(slot, version, good_until)

        def landed(task: asyncio.Task[CacheEntry[T]]) -> None:
            kept.task = None
            if not task.cancelled() and not task.exception():
                kept.found = task.result()
            elif self._kept.get(name) is kept:
                del self._kept[name]

        kept.task = asyncio.ensure_future(_run(look_up))
        kept.task.add_done_callback(landed)
        self._kept[name] = kept
        self._kept.move_to_end(name)
        self._remove_oldest()
        return kept

    def _remove_oldest(self) -> None:
        """Remove what is over before the first other entry, and what exceeds `MAX_ENTRIES`. Keep the newest."""
        while len(self._kept) > 1:
            name, oldest = next(iter(self._kept.items()))
            if len(self._kept) <= MAX_ENTRIES and not self._is_over(oldest):
                return
            del self._kept[name]

    def clear(self) -> None:
        """Remove all entries, including running look-ups."""
        self._kept.clear()

    def _is_over(self, kept: _LookUp[T]) -> bool:
        """Return whether the value cannot become good again, as it can when a late poll returns."""
        if kept.found is None:
            return False
        is_old = not kept.found.told and time.monotonic() >= kept.good_until
        return is_old or self._clock().timestamp() >= kept.found.until

    def _is_good(self, kept: _LookUp[T]) -> bool:
        if self._invalidations.version(kept.slot) != kept.version:
            return False
        now = time.monotonic()
        return now < kept.good_until or (
            now < self.invalidations_until and kept.found is not None and kept.found.told
        )


async def _run(look_up: Callable[[], Awaitable[T]]) -> T:
    return await look_up()
