"""The cache port: Redis or Valkey where one is set, else nothing to ask.

Only its health is used so far: what is worth caching comes with the hot paths.
"""

from redis.asyncio import Redis
from redis.exceptions import RedisError

TIMEOUT = 0.5


class Cache:
    def __init__(self, url: str | None) -> None:
        self._redis = (
            Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT) if url else None
        )

    async def is_well(self) -> bool:
        """Whether the server answers; always, where there is none to fail."""
        if self._redis is None:
            return True
        try:
            await self._redis.ping()
        except (RedisError, OSError):
            return False
        return True

    async def close(self) -> None:
        if self._redis is not None:
            await self._redis.aclose()
