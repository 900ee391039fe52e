"""The hash chain: rows are sealed in order, each over the one before it, and the addresses stand outside.

The key comes from the secret, so nobody who can only write to the database can make a row that fits.
"""

import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.models import AuditEvent
from goodword.crypto import hmac_of
from goodword.db.database import Database

KEY_PURPOSE = "audit chain"
"""Of the key."""
BATCH_SIZE = 500
TIME_LIMIT = 10.0
"""For one run: what is left is sealed by the next one."""
PAGE_SIZE = 1_000
MAX_COUNTED = 100_000
"""Of those that wait: the count never takes long."""
OVERDUE = timedelta(minutes=1)
LOCK = 0x600D_A0D1
"""Advisory lock of PostgreSQL under which one worker seals. On SQLite whoever writes is alone anyway."""
GENESIS = bytes(32)

_TABLE = AuditEvent.__table__
_UNSEALED = select(AuditEvent.id).where(AuditEvent.sequence.is_(None)).order_by(AuditEvent.id).limit(1)
_HEAD = (
    select(AuditEvent.sequence, AuditEvent.hash)
    .where(AuditEvent.sequence.is_not(None))
    .order_by(AuditEvent.sequence.desc())
    .limit(1)
)
_NEXT = select(_TABLE).where(AuditEvent.sequence.is_(None)).order_by(AuditEvent.id).limit(BATCH_SIZE)
_PAGE = (
    select(_TABLE)
    .where(AuditEvent.sequence > bindparam("after"))
    .order_by(AuditEvent.sequence)
    .limit(PAGE_SIZE)
)
_OVERDUE = select(func.count()).where(
    AuditEvent.sequence.is_(None),
    AuditEvent.created_at < bindparam("since", type_=AuditEvent.created_at.type),
)
_WAITING = select(AuditEvent.id).where(AuditEvent.sequence.is_(None)).limit(MAX_COUNTED).subquery()
_STATE = select(
    select(_HEAD.subquery().c.sequence).scalar_subquery().label("sealed"),
    select(func.count()).select_from(_WAITING).scalar_subquery().label("waiting"),
    select(AuditEvent.created_at)
    .where(AuditEvent.sequence.is_(None))
    .order_by(AuditEvent.id)
    .limit(1)
    .scalar_subquery()
    .label("since"),
)
_SEAL: Any = (
    update(AuditEvent.__table__)  # type: ignore[arg-type]
    .where(AuditEvent.id == bindparam("row_id"))
    .values(sequence=bindparam("number"), hash=bindparam("seal"), address_mac=bindparam("digest"))
)


class Head(NamedTuple):
    """The last row that is sealed. Kept elsewhere, it shows later that no row after it was cut off."""

    sequence: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash.hex()}"


class ChainState(NamedTuple):
    """How far the chain has come, as it says itself: nothing is verified."""

    sealed: int
    waiting: int
    """`COUNTED` at most."""
    since: datetime | None
    """When the first of those that wait was written. Long ago, no worker runs."""


class ChainBroken(Exception):
    """The first row that is not as it was sealed."""

    def __init__(self, sequence: int, row_id: uuid.UUID | None, what: str) -> None:
        named = f" ({row_id})" if row_id else ""
        super().__init__(f"Row {sequence}{named}: {what}")


async def seal(database: Database, key: bytes) -> int:
    """Seal what was written since the last time, a batch in each transaction. Returns how many rows.

    A row whose transaction was committed late is sealed later. Several who seal take turns.
    """
    sealed, began = 0, time.monotonic()
    while time.monotonic() - began < TIME_LIMIT:
        if await database.row(_UNSEALED) is None:
            break
        async with database.transaction() as session:
            rows = await _seal_batch(session, key)
        sealed += rows
        if rows < BATCH_SIZE:
            break
    return sealed


async def _seal_batch(session: AsyncSession, key: bytes) -> int:
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(select(func.pg_advisory_xact_lock(LOCK)))
    found = (await session.execute(_HEAD)).one_or_none()
    number, last = (found.sequence, found.hash) if found else (0, GENESIS)
    sealed = []
    for row in await session.execute(_NEXT):
        number += 1
        digest = hash_address(key, row.address)
        last = row_hash(key, last, number, row, digest)
        sealed.append({"row_id": row.id, "number": number, "seal": last, "digest": digest})
    if sealed:
        connection = await session.connection()
        await connection.execute(_SEAL, sealed)
    return len(sealed)


def hash_address(key: bytes, address: str | None) -> bytes | None:
    return hmac_of(key, b"address", address.encode()) if address is not None else None


def row_hash(key: bytes, before: bytes, sequence: int, row: Row[Any], digest: bytes | None) -> bytes:
    """HMAC-SHA256 over the hash before, the number, and the row in one form for both databases."""
    form = [
        row.id.hex,
        round(row.created_at.timestamp() * 1_000_000),
        row.action,
        row.actor,
        row.actor_id.hex if row.actor_id else None,
        row.person_id.hex if row.person_id else None,
        row.subject,
        row.subject_id.hex if row.subject_id else None,
        row.client,
        row.request_id,
        row.details,
        digest.hex() if digest else None,
    ]
    return hmac_of(key, b"row", before, sequence.to_bytes(8), json.dumps(form).encode())


async def verify(database: Database, key: bytes, *, head: Head | None = None) -> Head:
    """The head of the chain, if every row is as it was sealed. Raises `Broken`, naming the first that is not.

    Rows are read page by page, so it takes the same memory for any number of them.
    """
    last = Head(0, GENESIS)
    async for row in _sealed(database):
        if row.sequence != last.sequence + 1:
            raise ChainBroken(last.sequence + 1, None, "it is missing")
        if row.address is not None and hash_address(key, row.address) != row.address_mac:
            raise ChainBroken(row.sequence, row.id, "its address is not the one that was sealed")
        expected = row_hash(key, last.hash, row.sequence, row, row.address_mac)
        if not hmac.compare_digest(expected, row.hash):
            raise ChainBroken(row.sequence, row.id, "it is not what was sealed, or not in its place")
        if head and row.sequence == head.sequence and row.hash != head.hash:
            raise ChainBroken(row.sequence, row.id, "it is not the head that you kept")
        last = Head(row.sequence, row.hash)
    if head and last.sequence < head.sequence:
        raise ChainBroken(last.sequence + 1, None, f"it is missing, and all after it up to {head.sequence}")
    return last


async def read_state(database: Database) -> ChainState:
    row = await database.row(_STATE)
    return ChainState(row.sealed or 0, row.waiting, row.since) if row else ChainState(0, 0, None)


async def count_overdue(database: Database, *, now: datetime) -> int:
    """How many rows have waited for their seal for more than a minute: then no worker runs."""
    row = await database.row(_OVERDUE, since=now - OVERDUE)
    return int(row[0]) if row else 0


async def _sealed(database: Database) -> AsyncIterator[Row[Any]]:
    after, rows = 0, PAGE_SIZE
    while rows == PAGE_SIZE:
        rows = 0
        for row in await database.rows(_PAGE, after=after):
            yield row
            rows, after = rows + 1, row.sequence
