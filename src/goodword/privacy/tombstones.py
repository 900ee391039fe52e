"""Tombstones: records of erasures, so that accounts in a restored backup are erased again.

A tombstone is the keyed hash of the id of an account, in the database and in a file of the data folder.
"""

import asyncio
import os
import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Integer, Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.service import first_id
from goodword.config.settings import PREFIX, SettingsError
from goodword.crypto import hmac_of
from goodword.db import transaction_hooks
from goodword.db.database import Database
from goodword.db.periodic import repeat
from goodword.db.statements import insert_if_absent
from goodword.privacy.models import Tombstone
from goodword.services import Services
from goodword.users.models import User, UserStatus

FILE = "tombstones"
PAGE = 1_000
MIRROR_SECONDS = 30.0
RECENT = timedelta(days=1)
_LINE = re.compile(rb"1 ([0-9a-f]{64}) (\S{1,40})\n?")

log = structlog.get_logger("goodword.tombstones")


async def record_tombstone(session: AsyncSession, services: Services, user_id: uuid.UUID) -> None:
    """Record an erasure in its transaction, and in the file after the commit."""
    user_mac, now = _mac(services, user_id), services.clock()
    await insert_if_absent(session, Tombstone, user_mac=user_mac, created_at=now)
    append = partial(_append, services.settings.data_dir, [(user_mac, now)])
    transaction_hooks.run_after_commit(session, append)


async def among(session: AsyncSession, services: Services, user_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Return the ids of these users that were erased."""
    by_mac = {_mac(services, user_id): user_id for user_id in user_ids}
    query = select(Tombstone.user_mac).where(Tombstone.user_mac.in_(sorted(by_mac)))
    return {by_mac[user_mac] for user_mac in await session.scalars(query)}


async def sync_file(services: Services) -> None:
    """Add tombstones to the file that only the database has: from other nodes, or after a failed write."""
    folder, rows = services.settings.data_dir, services.database.pages(_TOMBSTONES)
    known = await asyncio.to_thread(_read, folder)
    missing = [(row.user_mac, row.created_at) async for row in rows if row.user_mac not in known]
    if missing:
        await _append(folder, missing)


async def count_missing(database: Database, folder: Path, *, limit: int) -> int:
    """Return how many of the latest tombstones the file has not. Raises `SettingsError` if it cannot be read."""
    rows = await database.rows(_LATEST, limit=limit)
    known = await asyncio.to_thread(_read, folder) if rows else {}
    return sum(row.user_mac not in known for row in rows)


def merge(folder: Path, other: Path) -> None:
    """Add the tombstones of another file, such as that of a backup, to the file in `folder`."""
    known = _read(folder)
    if missing := [line for line in _read(other.parent).items() if line[0] not in known]:
        _write(folder, missing)


async def add_recent(services: Services) -> None:
    """Add the tombstones of the last day to the file. The start adds all."""
    after = first_id(services.clock() - RECENT)
    rows = [row async for row in services.database.pages(_TOMBSTONES, after=after)]
    missing = await asyncio.to_thread(_missing, services.settings.data_dir, rows)
    if missing:
        await _append(services.settings.data_dir, missing)


async def mirror(services: Services) -> None:
    """Add the tombstones of other nodes to the file at intervals, until cancelled."""
    await repeat("mirror_tombstones", partial(add_recent, services), every=MIRROR_SECONDS)


async def find_restored(services: Services) -> list[uuid.UUID]:
    """Return the ids of accounts that the database holds although the file has their tombstones.

    All accounts are read only if the file has a tombstone that the database has not: after a restore.
    """
    database = services.database
    known = await asyncio.to_thread(_read, services.settings.data_dir)
    missing = known.keys() - {row.user_mac async for row in database.pages(_TOMBSTONES)}
    if not missing:
        return []
    accounts = database.pages(_ACCOUNTS)
    found = {row.id: mac async for row in accounts if (mac := _mac(services, row.id)) in missing}
    async with database.transaction() as session:
        # Accounts that are not in the backup: add their tombstones, so that the next start need not look for them.
        for user_mac in missing - set(found.values()):
            await insert_if_absent(session, Tombstone, user_mac=user_mac, created_at=known[user_mac])
    return list(found)


async def _append(folder: Path, tombstones: Iterable[tuple[bytes, datetime]]) -> None:
    try:
        await asyncio.to_thread(_write, folder, tombstones)
    except OSError as error:
        # The erasure is committed. `add_recent` adds the line.
        log.error("a tombstone could not be written to its file", error=type(error).__name__)  # noqa: TRY400


def _write(folder: Path, tombstones: Iterable[tuple[bytes, datetime]]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lines = [f"1 {user_mac.hex()} {moment.astimezone(UTC).isoformat()}\n" for user_mac, moment in tombstones]
    descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":  # a crash left an incomplete line
                lines.insert(0, "\n")
        file.write("".join(lines).encode())
        file.flush()
        os.fsync(file.fileno())


def _missing(folder: Path, rows: Sequence[Row[Any]]) -> list[tuple[bytes, datetime]]:
    """Return the tombstones that the file has not. It is searched, because a long one takes seconds to parse."""
    try:
        written = (folder / FILE).read_bytes() if rows else b""
    except FileNotFoundError:
        written = b""
    return [(row.user_mac, row.created_at) for row in rows if row.user_mac.hex().encode() not in written]


def _read(folder: Path) -> dict[bytes, datetime]:
    """Return the tombstones of the file. An invalid line is logged by its number, and ignored."""
    found: dict[bytes, datetime] = {}
    try:
        file = (folder / FILE).open("rb")
    except FileNotFoundError:
        return found
    except OSError as error:
        # Without the file the service could not erase restored accounts again, so it must not start.
        raise SettingsError(
            f"The file {FILE} in {PREFIX}DATA_DIR cannot be read ({type(error).__name__})."
        ) from None
    with file:
        for number, line in enumerate(file, 1):
            read = _LINE.fullmatch(line)
            try:
                if read is None:
                    raise ValueError
                moment = datetime.fromisoformat(read[2].decode("ascii"))
                found[bytes.fromhex(read[1].decode())] = moment.astimezone(UTC)
            except (ValueError, OverflowError):
                if line.strip():
                    log.warning("a line of the tombstones' file is ignored", line=number)
    return found


def _mac(services: Services, user_id: uuid.UUID) -> bytes:
    return hmac_of(services.keys.tombstones, user_id.bytes)


_TOMBSTONES = (
    select(Tombstone.id, Tombstone.user_mac, Tombstone.created_at)
    .where(Tombstone.id > bindparam("after", type_=Tombstone.id.type))
    .order_by(Tombstone.id)
    .limit(PAGE)
)
_LATEST = select(Tombstone.user_mac).order_by(Tombstone.id.desc()).limit(bindparam("limit", type_=Integer))
_ACCOUNTS = (
    select(User.id)
    .where(User.id > bindparam("after", type_=User.id.type), User.status != UserStatus.ERASED)
    .order_by(User.id)
    .limit(PAGE)
)
