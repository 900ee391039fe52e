"""Redis or Valkey, which all nodes share: answers of look-ups, marks over outdated ones, and news of those."""

import hmac
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from goodword import __version__
from goodword.cache.redis_client import RedisClient
from goodword.crypto import hmac_of

MARK = 30
"""Seconds for which a mark stands: longer than a commit (10 s) and a reader of the old row together take."""
MARKED, SEAL = b"mark:", 16
NEWS, NEWS_KEPT = "goodword:news", 1_000


class CachedValue(NamedTuple):
    """What stands in the cache, and the instant (seconds since 1970) until which it can be true."""

    value: bytes
    until: float


class Invalidations(NamedTuple):
    """What changed since the last time, unless some of it was missed."""

    slots: list[int]
    missed: bool
    server: str
    """Which run of which server says so: another one when it was started anew, or another took its place."""


class RedisCache:
    """Redis or Valkey, asked once and shortly, and left alone for a moment when it fails.

    It is not trusted either: what stands there is sealed by name, epoch and release, and anything else is as
    good as nothing. No address and no code can be read from it.
    """

    def __init__(self, url: str, key: bytes) -> None:
        self._server = RedisClient(url, "the cache")
        self._redis = self._server.client
        self._fill = self._redis.register_script(_FILL)
        self._key = key
        self._last_news: Any = None

    def is_available(self) -> bool:
        return self._server.is_available()

    async def read(self, name: str) -> bytes | None:
        """What stands under that name, nothing being an empty text; None if the server does not say."""
        # MGET, because it takes what is not a text for nothing, where GET fails.
        return await self._server.ask(self._read(self._place(name)))

    async def _read(self, place: str) -> bytes:
        [found] = await self._redis.mget(place)
        if not isinstance(found, bytes | None):
            raise ResponseError("not a text")
        return found or b""

    async def fill(
        self, name: str, epoch: str, there: bytes, answer: CachedValue, *, window_ms: float
    ) -> bool:
        """Put an answer there for so many seconds, unless something else than `there` stands by now."""
        body = round(answer.until * 1000).to_bytes(8) + answer.value
        values: list[bytes | int] = [there, self._seal(name, epoch, body) + body, round(window_ms * 1000)]
        return await self._server.ask(self._fill(keys=[self._place(name)], args=values)) == 1

    def opened(self, name: str, epoch: str, there: bytes) -> CachedValue | None:
        """The answer in what stands there, if we put it for that name in this epoch, and in this shape."""
        seal, body = there[:SEAL], there[SEAL:]
        if len(body) <= 8 or not hmac.compare_digest(seal, self._seal(name, epoch, body)):
            return None
        return CachedValue(body[8:], int.from_bytes(body[:8]) / 1000)

    async def mark(self, slots: Mapping[str, int]) -> bool:
        """Let nobody put there what was read before this moment, and tell all nodes. Whether that is sure.

        Given are names, each with its slot on the board.
        """
        if not self.is_available():
            return False
        pipeline = self._redis.pipeline(transaction=False)
        for name in slots:
            pipeline.set(self._place(name), MARKED + secrets.token_bytes(16), ex=MARK)
        self._tell(pipeline, slots.values())
        return await self._server.ask(pipeline.execute()) is not None

    async def news(self) -> Invalidations | None:
        """What was told since it was last asked; None if the server does not say."""
        if not self.is_available():
            return None
        return await self._server.ask(self._read_news())

    async def _read_news(self) -> Invalidations:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.info("server")
        pipeline.xrange(NEWS, min=self._last_news or "-", count=NEWS_KEPT)
        info, found = await pipeline.execute(raise_on_error=False)
        server = str(info["run_id"])
        # From the last one that we know, which must be there still: nothing was lost between.
        if (
            self._last_news is not None
            and isinstance(found, list)
            and found
            and found[0][0] == self._last_news
        ):
            self._last_news = found[-1][0]
            told = b" ".join(fields.get(b"slots", b"") for _, fields in found[1:])
            try:
                return Invalidations([int(slot) for slot in told.split()], len(found) == NEWS_KEPT, server)
            except ValueError:  # not written by us
                return Invalidations([], True, server)
        try:
            self._last_news = await self._tell(self._redis, [])
        except ResponseError:
            await self._redis.delete(NEWS)  # something else stands in its place
            raise
        return Invalidations([], True, server)

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


# In one step on the server. What is of another kind than text counts as nothing and is replaced.
_FILL = """
local there = redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('GET', KEYS[1]) or ''
if there ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
