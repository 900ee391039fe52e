"""Check of the actor at the beginning of the transaction that writes.

A request is authenticated by its headers, with a session that this process may have cached. Its body and the hash
of its password take time after that. So each transaction that writes for a signed-in user begins with a statement
that locks the account and the session. It refuses a user who was disabled, erased, demoted or signed out meanwhile.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from goodword.db.transaction_hooks import HookedSession
from goodword.errors import NotFound, TokenInvalid
from goodword.sessions.models import UserSession, live
from goodword.users.models import User, UserStatus

LOCK = 0x60_0D_AD
"""Number of the advisory lock that serializes the transactions of administrators on PostgreSQL."""


@dataclass(slots=True)
class Acting:
    """A signed-in user who writes, and the session."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    clock: Callable[[], datetime]
    administers: bool = False

    def lock(self, session: HookedSession, connection: Connection) -> None:
        """Lock the account and the session. Raises `TokenInvalid`, for administrators `NotFound`."""
        if self.administers and connection.dialect.name == "postgresql":
            # Avoids a deadlock of two administrators who disable each other.
            connection.execute(_LOCK)
        values = {"user_id": self.user_id, "session_id": self.session_id, "now": self.clock()}
        row = connection.execute(_HELD, values).mappings().one_or_none()
        if self.administers and (row is None or not row["is_admin"]):
            raise NotFound
        if row is None:
            raise TokenInvalid
        session.locked_user = dict(row)


_LOCK = select(func.pg_advisory_xact_lock(LOCK))
_USERS: Any = User.__table__
_SESSIONS: Any = UserSession.__table__
_HELD = (
    select(_USERS)
    .join(_SESSIONS, _SESSIONS.c.user_id == _USERS.c.id)
    .where(
        _USERS.c.id == bindparam("user_id"),
        _USERS.c.status == UserStatus.ACTIVE,
        _SESSIONS.c.id == bindparam("session_id"),
        live(bindparam("now", type_=UserSession.expires_at.type)),
    )
    # The account first, as everywhere, to avoid deadlocks.
    .with_for_update(key_share=True, of=[_USERS, _SESSIONS])
)
