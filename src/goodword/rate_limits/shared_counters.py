"""Counters of the rate limits in Redis or Valkey. Imported only if it is configured."""

from typing import NamedTuple

from redis.exceptions import ResponseError

from goodword.cache.redis_client import PATIENCE, PING, RedisClient


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
        return await self._server.ask(
            self._added(key, number, window_ms), operation="EVALSHA", patience=patience
        )

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
