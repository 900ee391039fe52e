"""Search users for administrators.

An address is found by an index. A part of one, or a rare status, has no index on either database, so a request scans at
most `SCAN_LIMIT` rows and the next page continues from there.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.admin import service
from goodword.admin.listing import SCAN_LIMIT
from goodword.db.keyset import Position
from goodword.users.models import User, UserStatus
from goodword.web.paging import EPOCH


@dataclass(frozen=True, slots=True)
class Page:
    """The users found, and the position of the next page."""

    rows: Sequence[User]
    following: Position | None = None


async def list_users(
    session: AsyncSession,
    *,
    email: str | None = None,
    part: str | None = None,
    status: UserStatus | None = None,
    after: Position | None,
    limit: int,
) -> Page:
    """Return the users that match every given filter, newest first."""
    found_by_index = email is not None or not (part or status)
    oldest = None if found_by_index else await _scan_end(session, after)
    found = await service.list_users(
        session,
        email=email,
        part=part,
        status=status,
        after=after.id if after else None,
        not_before=oldest,
        limit=limit,
    )
    if len(found) > limit:
        return Page(found[:limit], Position(EPOCH, found[limit - 1].id))
    return Page(found, Position(EPOCH, oldest) if oldest else None)


async def _scan_end(session: AsyncSession, after: Position | None) -> uuid.UUID | None:
    """Return the id of the last row to scan, or None if fewer rows are left."""
    query = select(User.id).order_by(User.id.desc()).offset(SCAN_LIMIT - 1).limit(1)
    if after is not None:
        query = query.where(User.id < after.id)
    found: uuid.UUID | None = await session.scalar(query)
    return found
