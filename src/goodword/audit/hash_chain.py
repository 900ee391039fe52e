"""The hash chain of the audit log: each row is sealed by an HMAC over its columns and the previous HMAC.

The key is derived from the secret, so write access to the database does not suffice to forge a row. IP addresses are
covered by a digest, so that they can be cleared.
"""

import hmac
import json
import time
import uuid
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.models import AuditEvent
from goodword.crypto import hmac_of
from goodword.db.database import Database

BATCH_SIZE = 500
TIME_LIMIT = 10.0
"""Seconds for one run. The next run seals the remaining rows."""
PAGE_SIZE = 1_000
MAX_COUNTED = 100_000
"""Unsealed rows that are counted at most, so that a count never takes long."""
OVERDUE = timedelta(minutes=1)
LOCK = 0x600D_A0D1
"""Key of the PostgreSQL advisory lock that lets one worker at a time seal. SQLite has one writer at a time."""
GENESIS = bytes(32)

_TABLE: Any = AuditEvent.__table__
_SEQUENCE, _IS_UNSEALED = AuditEvent.sequence, AuditEvent.sequence.is_(None)
_UNSEALED = select(AuditEvent.id).where(_IS_UNSEALED).order_by(AuditEvent.id).limit(1)
_HEAD = select(_SEQUENCE, AuditEvent.hash).where(~_IS_UNSEALED).order_by(_SEQUENCE.desc()).limit(1)
_ROW = select(_SEQUENCE, AuditEvent.hash).where(bindparam("number") == _SEQUENCE)
_NEXT = select(_TABLE).where(_IS_UNSEALED).order_by(AuditEvent.id).limit(BATCH_SIZE)
_PAGE = select(_TABLE).where(bindparam("after") < _SEQUENCE).order_by(_SEQUENCE).limit(PAGE_SIZE)
_OVERDUE = select(func.count()).where(
    _IS_UNSEALED, AuditEvent.created_at < bindparam("since", type_=AuditEvent.created_at.type)
)
_WAITING = select(AuditEvent.id).where(_IS_UNSEALED).limit(MAX_COUNTED).subquery()
_OLDEST = select(AuditEvent.created_at).where(_IS_UNSEALED).order_by(AuditEvent.id).limit(1)
_STATE = select(
    select(_HEAD.subquery().c.sequence).scalar_subquery().label("sealed"),
    select(func.count()).select_from(_WAITING).scalar_subquery().label("waiting"),
    _OLDEST.scalar_subquery().label("since"),
)
_SEAL: Any = (
    update(_TABLE)
    .where(AuditEvent.id == bindparam("row_id"))
    .values(sequence=bindparam("number"), hash=bindparam("seal"), address_mac=bindparam("digest"))
)


class Head(NamedTuple):
    """The last sealed row. Stored elsewhere, it proves later that no row up to it was deleted."""

    sequence: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash.hex()}"


class ChainState(NamedTuple):
    """The length of the chain and its backlog. Nothing is verified."""

    sealed: int
    waiting: int
    """Up to `MAX_COUNTED`."""
    since: datetime | None
    """The time of the oldest unsealed row. An old value means that no worker is running."""


class ChainBroken(Exception):
    """Raised for the first row that does not match its seal."""

    def __init__(self, sequence: int, row_id: uuid.UUID | None, problem: str) -> None:
        named = f" ({row_id})" if row_id else ""
        super().__init__(f"Row {sequence}{named}: {problem}")


async def seal(database: Database, key: bytes) -> int:
    """Seal the unsealed rows, in a transaction per batch. Return how many. Concurrent calls take turns."""
    sealed, rows, start = 0, BATCH_SIZE, time.monotonic()
    while rows >= BATCH_SIZE and time.monotonic() - start < TIME_LIMIT:
        if await database.row(_UNSEALED) is None:  # no lock if there is nothing to do
            break
        async with database.transaction() as session:
            rows = await _seal_batch(session, key)
        sealed += rows
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


def row_hash(key: bytes, previous: bytes, sequence: int, row: Row[Any], digest: bytes | None) -> bytes:
    """Return the HMAC-SHA256 over the previous hash, the sequence number and the row."""
    columns = [  # in a form that is the same for both databases
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
    return hmac_of(key, b"row", previous, sequence.to_bytes(8), json.dumps(columns).encode())


async def verify_latest(database: Database, key: bytes, *, rows: int) -> Head:
    """Verify about so many of the last rows, like `verify`."""
    head = await database.row(_HEAD)
    before = await database.row(_ROW, number=head.sequence - rows) if head else None
    return await verify(database, key, start=Head(before.sequence, before.hash) if before else None)


async def verify(
    database: Database, key: bytes, *, head: Head | None = None, start: Head | None = None
) -> Head:
    """Return the head of the chain. Raises `ChainBroken` for the first row that does not match its seal.

    With `start`, verify only the rows after it.
    """
    last = start or Head(0, GENESIS)
    async for row in database.pages(_PAGE, column="sequence", after=last.sequence):
        if row.sequence != last.sequence + 1:
            raise ChainBroken(last.sequence + 1, None, "it is missing")
        if row.address is not None and hash_address(key, row.address) != row.address_mac:
            raise ChainBroken(row.sequence, row.id, "its address is not the sealed one")
        expected = row_hash(key, last.hash, row.sequence, row, row.address_mac)
        if not hmac.compare_digest(expected, row.hash):
            raise ChainBroken(row.sequence, row.id, "it is not as it was sealed, or not in its place")
        if head and row.sequence == head.sequence and row.hash != head.hash:
            raise ChainBroken(row.sequence, row.id, "it is not the given head")
        last = Head(row.sequence, row.hash)
    if head and last.sequence < head.sequence:
        raise ChainBroken(last.sequence + 1, None, f"it is missing, and all after it up to {head.sequence}")
    return last


async def read_state(database: Database) -> ChainState:
    row = await database.row(_STATE)
    return ChainState(row.sealed or 0, row.waiting, row.since) if row else ChainState(0, 0, None)


async def count_overdue(database: Database, *, now: datetime) -> int:
    """Count rows that are unsealed for more than a minute, which means that no worker is running."""
    row = await database.row(_OVERDUE, since=now - OVERDUE)
    return int(row[0]) if row else 0
