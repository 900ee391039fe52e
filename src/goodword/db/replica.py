"""Reads of a streaming replica of PostgreSQL, as long as it has everything that the primary has committed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import BigInteger, Executable, Row, bindparam, cast, func, select, text
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from goodword.db.error_causes import describe
from goodword.db.periodic import repeat

if TYPE_CHECKING:
    from goodword.db.database import Database

CHECK_SECONDS = 1.0
"""Interval of the attempts to use a replica that was left."""
PATIENCE, STEP = 0.05, 0.005
"""Seconds for which a read waits for the replica to catch up, and between two questions whether it has."""
BEHIND = "it is behind"

log = structlog.get_logger("goodword.replica")


class Replica:
    """Reads of the replica, or of the primary while the replica is away, silent or behind.

    Before each read the primary is asked for its position in the write-ahead log, and the replica whether it has
    replayed that much. So a read has all that was committed before it began, on any node.
    """

    def __init__(self, primary: Database, replica: Database) -> None:
        self._primary, self._replica = primary, replica
        self.is_used = False
        self._reason: str | None = None

    @property
    def engine(self) -> AsyncEngine:
        return self._replica.read_engine

    async def rows(self, statement: Executable, **values: object) -> Sequence[Row[Any]]:
        """Return the rows of a statement, like `Database.rows`."""
        if self.is_used:
            try:
                if await self._catches_up():
                    return await self._replica.rows(statement, **values)
                self._leave(BEHIND)
            except (DBAPIError, PoolTimeout, OSError) as error:
                self._leave(describe(error))
        return await self._primary.rows(statement, **values)

    async def watch(self) -> None:
        """Leave the replica when it does not answer, and use it when it can be used. Ends by cancellation."""
        await asyncio.gather(self._replica.watch(), repeat("watch_replica", self._look, every=CHECK_SECONDS))

    async def resize(self, size: int) -> None:
        await self._replica.resize(size)

    async def close(self) -> None:
        await self._replica.close()

    async def _look(self) -> None:
        try:
            catches_up = await self._catches_up()
        except (DBAPIError, PoolTimeout, OSError) as error:
            self._leave(describe(error))
            return
        if not catches_up:
            self._leave(BEHIND)
        elif not self.is_used:
            self.is_used, self._reason = True, None
            log.info("the replica is used")

    def _leave(self, reason: str) -> None:
        self.is_used = False
        if reason != self._reason:
            log.warning("the replica is not used", why=reason)
        self._reason = reason

    async def _catches_up(self) -> bool:
        """Return whether the replica has, or soon gets, what the primary has committed by now."""
        primary = await self._primary.row(WRITTEN)
        until = time.monotonic() + PATIENCE
        while primary is not None:
            replica = await self._replica.row(REPLAYED, position=primary.position)
            if replica is None or not replica.is_replica:
                return False
            if replica.has_replayed:
                return True
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(STEP)
        return False


def _position(of: Any) -> Any:
    return cast(func.pg_wal_lsn_diff(of, text("'0/0'")), BigInteger)


WRITTEN = select(_position(func.pg_current_wal_flush_lsn()).label("position"))
REPLAYED = select(
    func.pg_is_in_recovery().label("is_replica"),
    (_position(func.pg_last_wal_replay_lsn()) >= bindparam("position", type_=BigInteger)).label(
        "has_replayed"
    ),
)
