"""Redis or Valkey as we ask it: shortly, and not at all for a moment when it fails. Nothing depends on its answer."""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

PATIENCE = 0.05
PAUSE = 1.0
"""Seconds for which a server that failed is left alone."""
PING = 0.5
"""Seconds to wait where nobody waits for us."""

log = structlog.get_logger("goodword.redis")

T = TypeVar("T")


class RedisClient:
    """One use of the server, with connections of its own. `name` is what the log calls it."""

    def __init__(self, url: str, name: str) -> None:
        pool = BlockingConnectionPool.from_url(
            url, max_connections=32, timeout=PATIENCE, socket_timeout=PING, retry=Retry(NoBackoff(), 0)
        )
        self.client = Redis.from_pool(pool)
        self._silent = f"{name} does not answer"
        self._open_until = 0.0

    def is_available(self) -> bool:
        """Return whether the circuit breaker is closed: the server did not fail within the last `PAUSE` seconds."""
        return time.monotonic() >= self._open_until

    async def ask(self, question: Awaitable[T], *, patience: float = PATIENCE) -> T | None:
        """The answer; None if there is none in time."""
        try:
            async with asyncio.timeout(patience):
                return await question
        except Exception as error:  # noqa: BLE001  a server that talks nonsense is one that does not answer
            if self.is_available():
                log.warning(self._silent, error=type(error).__name__)
            self._open_until = time.monotonic() + PAUSE
            return None

    async def ping(self) -> bool:
        try:
            async with asyncio.timeout(PING):
                await self.client.ping()
        except (RedisError, OSError):
            return False
        return True

    async def close(self) -> None:
        await self.client.aclose()
