"""The active sessions of a user: list and count them, and record that one is used."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.keyset import keyset_page
from goodword.sessions.models import UserSession, live
from goodword.sessions.tokens import IDLE

RECORDED_EVERY = timedelta(minutes=10)
"""How exactly the use of a browser session is recorded: about as often as an API client refreshes its tokens."""


async def list_active(
    session: AsyncSession,
    user_id: uuid.UUID,
    *,
    now: datetime,
    after: tuple[datetime, uuid.UUID] | None = None,
    limit: int,
) -> Sequence[UserSession]:
    """Return the active sessions of a user, the most recently used first: at most one more than `limit`."""
    position = (UserSession.rotated_at, UserSession.id)
    query = keyset_page(_active(select(UserSession), user_id, now), position, after=after, limit=limit)
    return (await session.scalars(query)).all()


async def count(session: AsyncSession, user_id: uuid.UUID, *, now: datetime) -> int:
    """Return the number of active sessions of a user."""
    query = _active(select(func.count()).select_from(UserSession), user_id, now)
    return await session.scalar(query) or 0


async def record_use(session: AsyncSession, session_id: uuid.UUID, *, now: datetime) -> None:
    """Record that a browser session is used, which postpones its end, unless it was recorded a moment ago."""
    end = case((UserSession.expires_at < now + IDLE, UserSession.expires_at), else_=now + IDLE)
    await session.execute(
        update(UserSession)
        .where(
            UserSession.id == session_id,
            UserSession.revoked_at.is_(None),
            UserSession.rotated_at <= now - RECORDED_EVERY,
        )
        .values(rotated_at=now, idle_expires_at=end)
    )


def _active(query: Select[Any], user_id: uuid.UUID, now: datetime) -> Select[Any]:
    return query.where(UserSession.user_id == user_id, live(now))
