"""Locks by key, for the tasks of one process."""

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary


class KeyedLock:
    """A lock on a key, which can be held beyond its block."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock
        self._is_held = self._is_kept = False

    async def wait(self) -> None:
        """Wait for the lock."""
        await self._lock.acquire()
        self._is_held = True

    def keep(self) -> None:
        """Keep the lock beyond the block, until `end` is called."""
        self._is_kept = True

    def leave(self) -> None:
        """Release the lock at the end of the block, unless it is kept."""
        if not self._is_kept:
            self.end()

    def end(self) -> None:
        """Release the lock. A second call does nothing."""
        if self._is_held:
            self._is_held = False
            self._lock.release()


class KeyedLocks:
    """The locks of all keys in use."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    @contextmanager
    def of(self, key: Hashable) -> Iterator[KeyedLock]:
        """Return the lock of `key`, released with the block unless it is kept."""
        lock = KeyedLock(self._locks.setdefault(key, asyncio.Lock()))
        try:
            yield lock
        finally:
            lock.leave()
