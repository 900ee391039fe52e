"""The time of the database server, so that the clocks of all nodes agree about leases, tokens and expiry."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import func, select

from goodword.clock import utc_now
from goodword.db.database import Database
from goodword.db.periodic import repeat
from goodword.services import Services

COMPARE_SECONDS = 60.0
MAX_DIFFERENCE = 2.0
"""Seconds by which the clock of a machine may differ from the database's before the operator is warned."""
MAX_ROUND_TRIP = 1.0
"""Seconds. After a slower response, the time of the database is not known well enough."""

log = structlog.get_logger("goodword.clock")


class DatabaseClock:
    """The time of PostgreSQL as of the last comparison, continued by the monotonic clock of this machine.

    Before the first comparison, and on SQLite, it is the time of this machine.
    """

    def __init__(self, local: Callable[[], datetime] = utc_now) -> None:
        self._local = local
        self._compared: tuple[datetime, float] | None = None
        self.is_off = False
        """Whether the clock of this machine differs from the database's."""

    def __call__(self) -> datetime:
        if self._compared is None:
            return self._local()
        then, at = self._compared
        return then + timedelta(seconds=time.monotonic() - at)

    async def compare(self, database: Database) -> None:
        """Follow the database's clock. Log a warning if the clock of this machine differs from it."""
        if database.is_sqlite:
            return
        sent = time.monotonic()
        row = await database.row(_NOW)
        received = time.monotonic()
        if row is None or received - sent > MAX_ROUND_TRIP:
            return
        self._compared = row.now, (sent + received) / 2
        difference = (self._local() - self()).total_seconds()
        self.is_off = abs(difference) > MAX_DIFFERENCE
        if self.is_off:
            log.warning("the clock of this machine is not that of the database", seconds=round(difference))


async def compare(services: Services) -> None:
    """Follow the database's clock if the services go by it."""
    if isinstance(services.clock, DatabaseClock):
        await services.clock.compare(services.database)


async def watch(services: Services) -> None:
    """Compare the clocks every minute until cancelled."""
    await repeat("compare_clocks", partial(compare, services), every=COMPARE_SECONDS)


_NOW = select(func.clock_timestamp().label("now"))
