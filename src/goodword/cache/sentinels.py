"""Connections to the primary of a group of Redis or Valkey servers, whose address Sentinels know."""

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import TimeoutError as RedisTimeout

from goodword.config.redis_url import RedisServer

WAIT = 0.02
"""Seconds for the answers of all Sentinels, within the timeout of a request."""
HANDOVER = 30.0
"""Seconds after which all nodes use the new primary. A Sentinel lets the previous one take writes for up to 20."""


class PrimaryPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connects to the server that the Sentinels name, and to another one when they do."""

    def __init__(self, server: RedisServer, **options: Any) -> None:
        found = server.sentinels
        assert found is not None
        self._sentinels = _Sentinels(server, options)
        super().__init__(  # type: ignore[no-untyped-call]
            found.group,
            self._sentinels,
            ssl=server.uses_tls,
            db=found.database,
            username=found.user,
            password=found.password,
            **options,
        )

    def is_settled(self) -> bool:
        """Return whether no other node can still use another primary."""
        return time.monotonic() >= self._sentinels.settled_at

    async def aclose(self) -> None:
        await super().aclose()
        await self._sentinels.close()


class _Sentinels:
    """Asks all Sentinels at once, as one of them may be silent. redis-py asks them in turn."""

    def __init__(self, server: RedisServer, options: Mapping[str, Any]) -> None:
        assert server.sentinels is not None
        common = {name: options[name] for name in ("socket_timeout", "retry")}
        password = server.sentinels.sentinel_password
        self._clients = [
            Redis(host=host, port=port, ssl=server.uses_tls, password=password, **common)
            for host, port in server.sentinels.places
        ]
        self._primary: tuple[str, int] | None = None
        self.settled_at = math.inf

    async def discover_master(self, group: str) -> tuple[str, int]:
        """Return the address in the newest answer: a Sentinel that was away may name the previous primary."""
        asked = [asyncio.ensure_future(client.sentinel_master(group)) for client in self._clients]
        for task in asked:
            task.add_done_callback(_ignore_error)
        # Late tasks go on: then their connections are open for the next time.
        done, _ = await asyncio.wait(asked, timeout=WAIT)
        answers: list[Any] = [task.result() for task in done if not task.exception()]
        if not answers:
            raise RedisTimeout("no Sentinel knows the primary")
        newest = max(answers, key=lambda answer: int(answer["config-epoch"]))
        primary = newest["ip"], int(newest["port"])
        if primary != self._primary:
            self._primary, self.settled_at = primary, time.monotonic() + HANDOVER
        return primary

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


def _ignore_error(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
