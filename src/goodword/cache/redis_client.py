"""A client of Redis or Valkey with short timeouts and a circuit breaker. The service works without the server."""

import asyncio
import time
from collections.abc import Awaitable
from functools import partial
from typing import TypeVar

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, TimeoutError as RedisTimeout

from goodword.cache.sentinels import PrimaryPool
from goodword.config.redis_url import parse
from goodword.telemetry import tracing

PATIENCE = 0.05
PAUSE = 1.0
"""Seconds for which the circuit breaker stays open."""
LATE = 0.01
"""Seconds by which a timeout fires late if the event loop, and not the server, was slow."""
MAX_LATE = 3
"""Late timeouts in a row after which the circuit breaker opens all the same."""
PING = 0.5
"""Timeout in seconds where no request waits."""

PROBE = "goodword:probe"

log = structlog.get_logger("goodword.redis")

T = TypeVar("T")


class RedisClient:
    """A connection pool for one use of the server. `name` is its name in the log."""

    def __init__(self, url: str, name: str, *, socket_timeout: float = PING) -> None:
        server = parse(url)
        create = (
            partial(PrimaryPool, server)
            if server.sentinels
            else partial(BlockingConnectionPool.from_url, url)
        )
        self._pool = create(
            max_connections=32, timeout=PATIENCE, socket_timeout=socket_timeout, retry=Retry(NoBackoff(), 0)
        )
        self.client = Redis.from_pool(self._pool)
        self._silent = f"{name} does not answer"
        self._open_until = 0.0
        self._late = 0

    def is_available(self) -> bool:
        """Return whether the circuit breaker is closed: the server did not fail within the last `PAUSE` seconds."""
        return time.monotonic() >= self._open_until

    def is_settled(self) -> bool:
        """Return whether all nodes use the same server. Not for some time after a failover."""
        return not isinstance(self._pool, PrimaryPool) or self._pool.is_settled()

    async def ask(self, question: Awaitable[T], *, operation: str, patience: float = PATIENCE) -> T | None:
        """Return the response, or None on an error or a timeout. The operation is named in traces."""
        due = time.monotonic() + patience
        try:
            async with asyncio.timeout(patience):
                with tracing.step(operation, {"db.system.name": "redis", "db.operation.name": operation}):
                    answer = await question
        except Exception as error:  # noqa: BLE001  an invalid response counts as none
            is_late = isinstance(error, TimeoutError | RedisTimeout) and time.monotonic() > due + LATE
            self._late = self._late + 1 if is_late else MAX_LATE
            if self._late >= MAX_LATE:
                self._open(error)
            return None
        self._late = 0
        return answer

    def _open(self, error: Exception) -> None:
        if self.is_available():
            log.warning(self._silent, error=type(error).__name__)
        self._open_until = time.monotonic() + PAUSE

    async def ping(self) -> bool:
        """Return whether the server takes a write. A full or a read-only one still answers PING."""
        try:
            async with asyncio.timeout(PING):
                await self.client.set(PROBE, b"", ex=1)
        except (RedisError, OSError):
            return False
        return True

    async def close(self) -> None:
        await self.client.aclose()
