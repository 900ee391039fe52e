"""Turns: tasks of one process that share a key go one after the other."""

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary


class Turn:
    """The place of one task in the queue of its key."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock
        self._is_held = self._is_kept = False

    async def wait(self) -> None:
        """Wait until the tasks that came earlier have ended."""
        await self._lock.acquire()
        self._is_held = True

    def keep(self) -> None:
        """Hold the turn beyond the block, until `end` is called."""
        self._is_kept = True

    def leave(self) -> None:
        """End the turn with the block, unless it is kept."""
        if not self._is_kept:
            self.end()

    def end(self) -> None:
        """Let the next task go on. A second call does nothing."""
        if self._is_held:
            self._is_held = False
            self._lock.release()


class Turns:
    """The queues of all keys that have a task."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    @contextmanager
    def of(self, key: Hashable) -> Iterator[Turn]:
        """Give a task its turn, which ends with the block unless it is kept."""
        turn = Turn(self._locks.setdefault(key, asyncio.Lock()))
        try:
            yield turn
        finally:
            turn.leave()
