"""The touches of a process: kept in memory for a moment, and written together.

A click must cost no statement. So `record` adds a row to a buffer, and the buffer is written twice a second. A killed
process loses what it has not written, at most a second of touches. A stopped one writes them first.
"""

import asyncio
import ipaddress
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from uuid_utils.compat import uuid7

from goodword import ip_address
from goodword.config.settings import Settings
from goodword.crypto import hmac_of
from goodword.db import periodic
from goodword.db.database import Database
from goodword.db.statements import insert_absent
from goodword.sessions.seen_clients import ClientHashes
from goodword.telemetry.metrics import TOUCHES, TOUCHES_LOST, Metrics
from goodword.touches.models import Touch, TouchKind

WRITE_SECONDS = 0.5
BATCH_SIZE = 1_000
"""Rows of one transaction. As many waiting rows are written before their time."""
MAX_WAITING = 20_000
"""Rows in memory, of some 600 bytes each. While the database is away, the oldest beyond them are dropped."""
CLOSE_SECONDS = 3.0
UNSEEN_SECONDS = 2.0
"""After which a touch of another process has been written, or is lost."""
LOOK_SECONDS = 0.25

log = structlog.get_logger("goodword.touches")


class RecordedTouch(NamedTuple):
    id: uuid.UUID
    created_at: datetime
    program_id: uuid.UUID
    code_id: uuid.UUID
    kind: str
    network_mac: bytes | None
    device_mac: bytes | None
    host: str | None


class Touches:
    """Records the touches of a process, and finds those of all processes."""

    def __init__(
        self,
        database: Database,
        key: bytes,
        clock: Callable[[], datetime],
        metrics: Metrics,
        settings: Settings,
    ) -> None:
        self._database, self._key, self._clock, self._metrics = database, key, clock, metrics
        self._unhashed = tuple(ipaddress.ip_network(network) for network in settings.risk_allowed_networks)
        self._waiting: OrderedDict[uuid.UUID, RecordedTouch] = OrderedDict()
        self._being_written: Sequence[RecordedTouch] = ()
        self._lock, self._many = asyncio.Lock(), asyncio.Event()

    def record(
        self,
        *,
        code_id: uuid.UUID,
        program_id: uuid.UUID,
        kind: TouchKind,
        network: bytes = b"",
        user_agent: str | None = None,
        host: str | None = None,
        now: datetime,
        touch_id: uuid.UUID | None = None,
    ) -> uuid.UUID:
        """Return the id of a new touch, which is written within a second. `touch_id` is one of `new_id`.

        `network` is that of the rate limits: `ip_address.network`. Leave it and `user_agent` out for a call of a
        server, which is not the participant's device.
        """
        hashes = self.hashes(network, user_agent)
        touch = RecordedTouch(touch_id or new_id(now), now, program_id, code_id, kind, *hashes, host)
        self._waiting[touch.id] = touch
        self._metrics.add(TOUCHES, kind)
        if len(self._waiting) == BATCH_SIZE:
            self._many.set()
        self._drop_oldest()
        return touch.id

    def hashes(self, network: bytes, user_agent: str | None) -> ClientHashes:
        """Return the hashes of a client. A network that is not known, and a missing user agent, have none."""
        if network and self._unhashed and ip_address.is_within(network, self._unhashed):
            return ClientHashes()
        return ClientHashes(
            hmac_of(self._key, b"network", network) if network else None,
            hmac_of(self._key, b"device", user_agent.encode()) if user_agent else None,
        )

    async def find(self, touch_id: uuid.UUID) -> RecordedTouch | None:
        """Return a touch, or None. It is in the table then, also if it was recorded just now."""
        if touch_id in self._waiting or any(touch.id == touch_id for touch in self._being_written):
            await self.flush()
        while (row := await self._database.row(_BY_ID, touch_id=touch_id)) is None:
            if not self._may_be_unwritten(touch_id):
                return None
            await asyncio.sleep(LOOK_SECONDS)  # another process may be about to write it
        return RecordedTouch._make(row)

    async def keep_writing(self) -> None:
        """Write what was recorded, every half second or when it is much. Ends by cancellation."""
        await periodic.repeat("touches", self.flush, every=WRITE_SECONDS, sooner=self._many)

    async def flush(self) -> None:
        """Write the touches recorded so far. They wait for the next time if the database is away."""
        async with self._lock:
            left = len(self._waiting)
            while left > 0 and self._waiting:
                batch = [
                    self._waiting.popitem(last=False)[1] for _ in range(min(BATCH_SIZE, len(self._waiting)))
                ]
                self._being_written = batch
                try:
                    await self._insert(batch)
                except BaseException:
                    self._put_back(batch)
                    raise
                finally:
                    self._being_written = ()
                left -= len(batch)

    async def close(self) -> None:
        """Write what is left, for a few seconds at most."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.flush()
        except (SQLAlchemyError, OSError):  # a TimeoutError too
            log.warning("touches could not be written", count=len(self._waiting))

    async def _insert(self, touches: Sequence[RecordedTouch]) -> None:
        """Insert those that are not there: the outcome of an earlier attempt may be unknown."""
        try:
            async with self._database.transaction() as session:
                await insert_absent(session, Touch, [touch._asdict() for touch in touches])
        except IntegrityError:  # the code of one is not in this database: it was restored from a backup
            if len(touches) == 1:
                self._metrics.add(TOUCHES_LOST, "refused")
                return
            middle = len(touches) // 2
            await self._insert(touches[:middle])
            await self._insert(touches[middle:])

    def _put_back(self, touches: Sequence[RecordedTouch]) -> None:
        for touch in reversed(touches):
            self._waiting[touch.id] = touch
            self._waiting.move_to_end(touch.id, last=False)
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
            self._metrics.add(TOUCHES_LOST, "dropped")

    def _may_be_unwritten(self, touch_id: uuid.UUID) -> bool:
        """Return whether the touch was made so lately that it may still be written."""
        made = made_at(touch_id)
        return made is not None and abs(self._clock().timestamp() - made) < UNSEEN_SECONDS


def made_at(touch_id: uuid.UUID) -> float | None:
    """Return the time (seconds since 1970) in the id of a touch, or None if it has none."""
    return (touch_id.int >> 80) / 1000 if touch_id.version == 7 else None


def new_id(now: datetime) -> uuid.UUID:
    return uuid7(nanoseconds=int(now.timestamp() * 1e9))


_BY_ID = select(*(Touch.__table__.c[name] for name in RecordedTouch._fields)).where(
    Touch.id == bindparam("touch_id")
)
