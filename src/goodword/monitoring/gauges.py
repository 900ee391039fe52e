"""The gauges of this process: the pools of its database and the hashing queue."""

import asyncio
from typing import Any

from goodword.services import Services
from goodword.telemetry import metrics

PUBLISH_SECONDS = 3.0


async def keep_published(services: Services) -> None:
    """Write the gauges every few seconds, for the process that is scraped. Ends by cancellation."""
    while True:
        publish(services)
        await asyncio.sleep(PUBLISH_SECONDS)


def publish(services: Services) -> None:
    """Write the gauges of this process."""
    numbers, database = services.metrics, services.database
    engines = {"write": database.write_engine, "read": database.read_engine}
    if database.replica:
        engines["replica"] = database.replica.engine
    for name, engine in engines.items():
        pool: Any = engine.pool  # a QueuePool
        numbers.set(metrics.POOL_SIZE, name, value=pool.size())
        numbers.set(metrics.POOL_CONNECTIONS, name, "in_use", value=pool.checkedout())
        numbers.set(metrics.POOL_CONNECTIONS, name, "idle", value=pool.checkedin())
    running, waiting = services.passwords.load()
    numbers.set(metrics.HASHING_RUNNING, value=running)
    numbers.set(metrics.HASHING_WAITING, value=waiting)
    numbers.set(metrics.PROCESSES, value=1)
    numbers.beat()
