"""The networks and user agents of signed-in users, as keyed hashes."""

import uuid
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.statements import with_defaults
from goodword.db.transaction_hooks import insert_before_commit
from goodword.sessions.models import SeenClient

_TABLE: Any = SeenClient.__table__


class ClientHashes(NamedTuple):
    """Keyed hashes of a network and a user agent, by which two clients are compared."""

    network_mac: bytes | None = None
    device_mac: bytes | None = None


def record(session: AsyncSession, user_id: uuid.UUID, hashes: ClientHashes, *, now: datetime) -> None:
    """Record a client of a user just before the commit, unless nothing is known of it."""
    if any(hashes):
        values = {"user_id": user_id, "created_at": now, **hashes._asdict()}
        insert_before_commit(session, _TABLE, with_defaults(SeenClient, values))


def is_first_of_day(used_at: datetime, now: datetime) -> bool:
    """Return whether a session that was last used at `used_at` is used for the first time on this day in UTC."""
    return used_at.date() < now.date()
