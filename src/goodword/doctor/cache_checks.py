"""Checks of Redis or Valkey, without which the service works, more slowly."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError as RedisTimeout,
)

from goodword.cache.redis_client import PROBE, RedisClient
from goodword.doctor.findings import Check, Finding, Level, NotChecked, NotUsed, error, ok, warning
from goodword.doctor.installation import Installation

SECONDS, TRIES = 3.0, 20
LEAST_VERSION = (6, 2)
REFUSALS = ("NOREPLICAS", "MISCONF")
"""Begin the errors with which a primary refuses writes."""
AWAY = "The cache does not answer: the service works without it, and each process limits requests by itself."


@asynccontextmanager
async def _client(installation: Installation) -> AsyncIterator[Redis]:
    """Yield a client. Raises `NotUsed` without Redis, and `TimeoutError` after `SECONDS`."""
    url = installation.settings.redis_url
    if url is None:
        raise NotUsed("REDIS_URL is not set")
    opened = RedisClient(url.get_secret_value(), "the doctor's connection", socket_timeout=SECONDS)
    try:
        async with asyncio.timeout(SECONDS):
            for _ in range(TRIES):
                if await _answers(opened.client):
                    break
                await asyncio.sleep(SECONDS / TRIES)
            yield opened.client
    finally:
        await opened.close()


async def _answers(client: Redis) -> bool:
    """Return whether the server answers, or another attempt is needed: Sentinels get little time for each."""
    try:
        await client.ping()
    except RedisTimeout:
        return False
    return True


@asynccontextmanager
async def _answering(installation: Installation) -> AsyncIterator[Redis]:
    """Yield a client. Raises `NotChecked` if the server does not answer it, or does not admit it."""
    try:
        async with _client(installation) as client:
            yield client
    except NoPermissionError:
        raise NotChecked("the user of REDIS_URL may not ask") from None
    except (RedisError, OSError, TimeoutError):
        raise NotChecked("the cache cannot be used") from None


async def check_reachable(installation: Installation) -> Finding:
    try:
        async with _client(installation) as client:
            await client.ping()
    except (AuthenticationError, ResponseError):  # it answers
        return ok("The cache answers.")
    except (RedisError, OSError, TimeoutError):
        return warning(AWAY)
    return ok("The cache answers.")


async def check_access(installation: Installation) -> Finding:
    try:
        async with _client(installation) as client:
            await client.get(PROBE)
    except (AuthenticationError, NoPermissionError):
        return error("The cache refuses the user or the password of REDIS_URL.")
    except (RedisError, OSError, TimeoutError):
        raise NotChecked("the cache does not answer") from None
    return ok("The cache admits the service.")


async def check_writable(installation: Installation) -> Finding:
    async with _answering(installation) as client:
        try:
            await client.set(PROBE, b"", ex=1)
        except ResponseError as failed:
            if not str(failed).startswith(REFUSALS) and not isinstance(
                failed, ReadOnlyError | OutOfMemoryError
            ):
                raise
            return warning("The cache takes no writes: it is full, or a replica.")
    return ok("The cache takes writes.")


async def check_memory(installation: Installation) -> Finding:
    async with _answering(installation) as client:
        found: Any = await client.info("memory")
    policy = found["maxmemory_policy"]
    if found["maxmemory"] and policy == "noeviction":
        return warning("The cache has a maxmemory and does not evict: it refuses writes when it is full.")
    return ok(f"The memory of the cache suits it ({policy}).")


async def check_version(installation: Installation) -> Finding:
    async with _answering(installation) as client:
        found: Any = await client.info("server")
    version = found.get("valkey_version") or found["redis_version"]
    if tuple(int(part) for part in version.split(".")[:2]) < LEAST_VERSION:
        return warning(f"The version of the cache is {version}, which is not supported.")
    return ok(f"The version of the cache is {version}.")


CHECKS: Sequence[Check] = (
    Check(
        id="cache-reachable",
        title="Redis or Valkey answers",
        remedy="Start the server, or correct `GOODWORD_REDIS_URL`.",
        level=Level.WARNING,
        run=check_reachable,
    ),
    Check(
        id="cache-access",
        title="Redis or Valkey admits the service",
        remedy="Write the user and the password of the server into `GOODWORD_REDIS_URL`.",
        level=Level.ERROR,
        run=check_access,
    ),
    Check(
        id="cache-writable",
        title="Redis or Valkey takes writes",
        remedy="Use the primary, and give it more memory or an evicting `maxmemory-policy`.",
        level=Level.WARNING,
        run=check_writable,
    ),
    Check(
        id="cache-memory",
        title="Redis or Valkey evicts what is old",
        remedy="Set `maxmemory-policy` to `allkeys-lru`, or `volatile-ttl` if it has other data too.",
        level=Level.WARNING,
        run=check_memory,
    ),
    Check(
        id="cache-version",
        title="The version of Redis or Valkey is supported",
        remedy="Upgrade to Redis 6.2 or newer, or to Valkey.",
        level=Level.WARNING,
        run=check_version,
    ),
)
