"""The shared cache in Redis or Valkey: responses of look-ups, marks, and the stream of invalidations.

Imported only if it is configured.
"""

import hmac
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from goodword import __version__
from goodword.cache.memory import MARKED, CachedValue
from goodword.cache.redis_client import PING, RedisClient
from goodword.crypto import hmac_of

MARK = 30
"""Lifetime of a mark in seconds: longer than a commit (10 s) and a read of the old row together."""
SEAL = 16
NEWS, NEWS_KEPT = "goodword:news", 1_000
HEAR = 0.2
"""Seconds to wait for invalidations. Redis answers up to 0.1 s later, within the timeout of a connection."""


class Invalidations(NamedTuple):
    """Invalidations since the last poll, and whether some may have been missed."""

    slots: list[int]
    missed: bool
    server: str
    """Run id of the server. It changes with a restart or a failover."""


class RedisCache:
    """A client of Redis or Valkey with short timeouts and a circuit breaker.

    The server is not trusted: values are authenticated with name, epoch and release, and any other value is
    ignored. Names and values reveal no address and no code.
    """

    def __init__(self, url: str, key: bytes) -> None:
        self._server = RedisClient(url, "the cache")
        self._redis = self._server.client
        self._fill = self._redis.register_script(_FILL)
        self._key = key
        self._last_news: Any = None
        self._heard: Any = None
        """The last entry that `next_news` has returned, after `_last_news`."""

    def is_available(self) -> bool:
        return self._server.is_available() and self._server.is_settled()

    async def read(self, name: str) -> bytes | None:
        """Return the stored bytes, empty if there are none, or None if the server does not respond."""
        # MGET returns nil for a key of another type, where GET fails.
        return await self._server.ask(self._read(self._place(name)), operation="MGET")

    async def _read(self, place: str) -> bytes:
        [found] = await self._redis.mget(place)
        if not isinstance(found, bytes | None):
            raise ResponseError("not a text")
        return found or b""

    async def fill(
        self, name: str, epoch: str, there: bytes, answer: CachedValue, *, lifetime: float
    ) -> bool:
        """Store a value for `lifetime` seconds, unless the stored bytes are no longer `there`."""
        body = round(answer.until * 1000).to_bytes(8) + answer.value
        values: list[bytes | int] = [there, self._seal(name, epoch, body) + body, round(lifetime * 1000)]
        filled = self._fill(keys=[self._place(name)], args=values)
        return await self._server.ask(filled, operation="EVALSHA") == 1

    def opened(self, name: str, epoch: str, there: bytes) -> CachedValue | None:
        """Return the value in the stored bytes if it was stored for this name, epoch and release."""
        seal, body = there[:SEAL], there[SEAL:]
        if len(body) <= 8 or not hmac.compare_digest(seal, self._seal(name, epoch, body)):
            return None
        return CachedValue(body[8:], int.from_bytes(body[:8]) / 1000)

    async def mark(self, slots: Mapping[str, int]) -> bool:
        """Mark names as invalid and publish the invalidations. Return whether all nodes will see the marks.

        `slots` maps each name to its slot in the `InvalidationTable`.
        """
        if not self.is_available():
            return False
        pipeline = self._redis.pipeline(transaction=False)
        for name in slots:
            pipeline.set(self._place(name), MARKED + secrets.token_bytes(16), ex=MARK)
        self._tell(pipeline, slots.values())
        # A failover may have begun meanwhile.
        marked = await self._server.ask(pipeline.execute(), operation="PIPELINE")
        return marked is not None and self._server.is_settled()

    async def news(self) -> Invalidations | None:
        """Return the invalidations since the last poll, or None if the server does not respond."""
        if not self._server.is_available():
            return None
        return await self._server.ask(self._read_news(), operation="PIPELINE")

    async def next_news(self) -> list[int] | None:
        """Return invalidations as soon as there are any, an empty list after a while, or None without a response."""
        if self._heard is None or not self._server.is_available():
            return None
        return await self._server.ask(self._hear(), operation="XREAD", patience=PING)

    async def _hear(self) -> list[int] | None:
        try:
            found: Any = await self._redis.xread({NEWS: self._heard}, block=round(HEAR * 1000))
        except ResponseError:
            return None  # the key has another type, which the next poll finds too
        if not found:
            return []
        [[_, entries]] = found
        self._heard = entries[-1][0]
        return _slots(entries)

    async def _read_news(self) -> Invalidations:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.info("server")
        pipeline.xrange(NEWS, min=self._last_news or "-", count=NEWS_KEPT)
        info, found = await pipeline.execute(raise_on_error=False)
        server = str(info["run_id"])
        # From the last known entry, which must still exist: then nothing was lost in between.
        if (
            self._last_news is not None
            and isinstance(found, list)
            and found
            and found[0][0] == self._last_news
        ):
            self._last_news = found[-1][0]
            slots = _slots(found[1:])
            return Invalidations(slots or [], slots is None or len(found) == NEWS_KEPT, server)
        try:
            self._last_news = self._heard = await self._tell(self._redis, [])
        except ResponseError:
            await self._redis.delete(NEWS)  # the key has another type
            raise
        return Invalidations([], True, server)

    async def tell(self, slots: Iterable[int]) -> None:
        """Publish invalidations of names that are not in the shared cache, also while the circuit breaker is open."""
        await self._server.ask(self._tell(self._redis, slots), operation="XADD", patience=PING)

    def _tell(self, redis: Redis, slots: Iterable[int]) -> Any:
        fields: Any = {"slots": " ".join(map(str, slots))}
        return redis.xadd(NEWS, fields, maxlen=NEWS_KEPT)

    async def ping(self) -> bool:
        return await self._server.ping()

    async def close(self) -> None:
        await self._server.close()

    def _place(self, name: str) -> str:
        return "goodword:answer:" + hmac_of(self._key, b"place", name.encode()).hex()[:32]

    def _seal(self, name: str, epoch: str, body: bytes) -> bytes:
        release = __version__.encode()
        return hmac_of(self._key, b"seal", release, epoch.encode(), name.encode(), body)[:SEAL]


def _slots(entries: list[Any]) -> list[int] | None:
    """Return the slots in entries of the stream, or None if Goodword has not written them."""
    try:
        return [int(slot) for _, fields in entries for slot in fields.get(b"slots", b"").split()]
    except (ValueError, AttributeError):
        return None


# One atomic step. A key of another type counts as empty and is replaced.
_FILL = """
local there = redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('GET', KEYS[1]) or ''
if there ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
