"""Who acts, checked once more in the transaction that writes.

A request is let in when its head is there. Its body may take seconds to arrive, its password to be hashed, and its
session may be remembered as live by this process. So the transaction of every request that writes for a signed-in
person begins with one statement that locks the account and the session. A person who was disabled, erased, demoted
or signed out by then is refused, and nobody else can do that to them until the transaction ends.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from goodword.db.transaction_hooks import HookedSession
from goodword.errors import NotFound, TokenInvalid
from goodword.sessions.models import UserSession
from goodword.users.models import User, UserStatus

LOCK = 0x60_0D_AD
"""Number of PostgreSQL's advisory lock that one transaction of an administrator holds at a time."""


@dataclass(slots=True)
class Acting:
    """A signed-in person who writes, from one session."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    clock: Callable[[], datetime]
    administers: bool = False

    def lock(self, session: HookedSession, connection: Connection) -> None:
        """Lock the account and the session. Raises `TokenInvalid`, for administrators `NotFound`."""
        if self.administers and connection.dialect.name == "postgresql":
            # Two administrators who disable each other would each wait for the account of the other.
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
_NOW = bindparam("now", type_=UserSession.expires_at.type)
_HELD = (
    select(_USERS)
    .join(_SESSIONS, _SESSIONS.c.user_id == _USERS.c.id)
    .where(
        _USERS.c.id == bindparam("user_id"),
        _USERS.c.status == UserStatus.ACTIVE,
        _SESSIONS.c.id == bindparam("session_id"),
        _SESSIONS.c.revoked_at.is_(None),
        _SESSIONS.c.expires_at > _NOW,
        _SESSIONS.c.idle_expires_at > _NOW,
    )
    # The account first, as everywhere, so that no two transactions wait for each other.
    .with_for_update(key_share=True, of=[_USERS, _SESSIONS])
)
