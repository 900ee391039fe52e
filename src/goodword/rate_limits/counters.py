"""Counters of the rate limits: in memory that the processes of a node share, and in Redis or Valkey."""

import mmap
from typing import NamedTuple

from redis.exceptions import ResponseError

from goodword.cache.redis_client import PATIENCE, PING, RedisClient


class Counts:
    """A table of fixed size with eight slots for each key. The lowest count is evicted.

    A million addresses take no more memory than one, and high counts survive many single requests. Processes
    that are forked later share the table. There is no lock: of two increments of one key in the same microsecond one
    may be lost.
    """

    PLACES = 1 << 17
    WAYS = 8
    COLUMNS = 4

    def __init__(self) -> None:
        words, places = memoryview(mmap.mmap(-1, self.PLACES * self.COLUMNS * 8)).cast("Q"), self.PLACES
        self._keys = words[:places]
        self.ends = words[places : 2 * places]
        """End of the window in milliseconds."""
        self.numbers = words[2 * places : 3 * places]
        self.unsynced = words[3 * places :]
        """The part of the count that was not sent to Redis."""

    def find(self, key: int) -> int | None:
        """Return the slot of `key`, a 64-bit number, in any window, or None."""
        begin = key % self.PLACES & -self.WAYS
        keys = self._keys[begin : begin + self.WAYS].tolist()
        return begin + keys.index(key) if key in keys else None

    def place(self, key: int, now: int, window_ms: int) -> int:
        """Return the slot of `key` in the current window. Begin the window if there is none."""
        at = self.find(key)
        if at is None:
            at = self._give_way(key, now)
        elif now < self.ends[at] <= now + 2 * window_ms:  # a later end: the clock was set back
            return at
        self.numbers[at] = self.unsynced[at] = 0
        self.ends[at] = now + window_ms
        self._keys[at] = key
        return at

    def _give_way(self, key: int, now: int) -> int:
        begin = key % self.PLACES & -self.WAYS
        values = self.ends[begin : begin + self.WAYS].tolist()
        if min(values) > now:
            values = self.numbers[begin : begin + self.WAYS].tolist()
        return begin + values.index(min(values))


class Total(NamedTuple):
    """The count of all nodes, and the milliseconds left of the window."""

    number: int
    left: int


class SharedCounts:
    """The counts of all nodes in Redis or Valkey. Their names reveal no address."""

    def __init__(self, url: str) -> None:
        self._server = RedisClient(url, "what the rate limits share")
        self._add = self._server.client.register_script(_ADD)

    def is_available(self) -> bool:
        return self._server.is_available()

    async def add(self, key: int, number: int, window_ms: int, *, waited_for: bool) -> Total | None:
        """Add to the count. Return None if the server does not respond."""
        patience = PATIENCE if waited_for else PING
        return await self._server.ask(self._added(key, number, window_ms), patience=patience)

    async def _added(self, key: int, number: int, window_ms: int) -> Total:
        match await self._add(keys=[f"goodword:limit:{key:016x}"], args=[number, window_ms]):
            case [int(count), int(left)]:
                return Total(count, left)
        raise ResponseError("not two numbers")

    async def close(self) -> None:
        await self._server.close()


# One atomic step, so that every count expires.
_ADD = """
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return {count, left}
"""
