"""Search users and codes for administrators.

A whole address, id or code is found by an index. A part of one, or a rare status, has no index on either database, so a
request scans at most `SCAN_LIMIT` rows and the next page continues from there.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.admin import service, statistics
from goodword.codes import code_format
from goodword.codes.models import CodeStatus, ReferralCode, has_status
from goodword.db.base import Base
from goodword.db.keyset import Position, keyset_page
from goodword.users.models import User, UserStatus
from goodword.web.paging import EPOCH

SCAN_LIMIT = 20_000
RowT = TypeVar("RowT")
CodeWithOwner = Row[ReferralCode, User]
"""A code and its owner."""


@dataclass(frozen=True, slots=True)
class Page(Generic[RowT]):
    """The rows found, and the position of the next page. `is_whole` is false if the scan limit ended the page."""

    rows: Sequence[RowT]
    following: Position | None = None
    is_whole: bool = True


async def find_users(
    session: AsyncSession, *, part: str | None, status: UserStatus | None, after: Position | None, limit: int
) -> Page[User]:
    """Return the user with this e-mail address or id, or else the users that contain `part`, newest first."""
    if part and after is None and (exact := await service.find(session, part)) is not None:
        return Page([exact])
    return await list_users(session, part=part, status=status, after=after, limit=limit)


async def list_users(
    session: AsyncSession,
    *,
    email: str | None = None,
    part: str | None = None,
    status: UserStatus | None = None,
    after: Position | None,
    limit: int,
) -> Page[User]:
    """Return the users that match every given filter, newest first."""
    found_by_index = email is not None or not (part or status)
    oldest = None if found_by_index else await _scan_end(session, User, after)
    found = await service.list_users(
        session,
        email=email,
        part=part,
        status=status,
        after=after.id if after else None,
        not_before=oldest,
        limit=limit,
    )
    return _to_page(found, [user.id for user in found], limit, oldest)


async def list_codes(
    session: AsyncSession,
    *,
    part: str | None,
    status: CodeStatus | None,
    after: Position | None,
    limit: int,
    now: datetime,
) -> Page[CodeWithOwner]:
    """Return the code that equals `part`, or else the codes that contain it, newest first, with their owners."""
    query = _CODES.order_by(ReferralCode.id.desc())
    if part:
        if after is None:
            exact = query.where(ReferralCode.key == (code_format.normalise(part) or ""))
            if found := (await session.execute(exact)).all():
                return Page(found)
        query = query.where(ReferralCode.key.contains(code_format.normalise_part(part), autoescape=True))
    if status is not None:
        query = query.where(has_status(status, now))
    if after is not None:
        query = query.where(ReferralCode.id < after.id)
    oldest = await _scan_end(session, ReferralCode, after) if part or status else None
    if oldest is not None:
        query = query.where(ReferralCode.id >= oldest)
    rows = (await session.execute(query.limit(limit + 1))).all()
    return _to_page(rows, [row.ReferralCode.id for row in rows], limit, oldest)


async def list_expiring_codes(
    session: AsyncSession, *, after: Position | None, limit: int, now: datetime
) -> Page[CodeWithOwner]:
    """Return the active codes that expire within seven days, the first to expire first."""
    place = (ReferralCode.expires_at, ReferralCode.id)
    query = _CODES.where(
        has_status(CodeStatus.ACTIVE, now), ReferralCode.expires_at <= now + statistics.EXPIRES_SOON
    )
    query = keyset_page(query, place, after=after, limit=limit, descending=False)
    rows = (await session.execute(query)).all()
    if len(rows) <= limit:
        return Page(rows)
    code = rows[limit - 1].ReferralCode
    return Page(rows[:limit], Position(code.expires_at, code.id))


async def _scan_end(session: AsyncSession, model: type[Base], after: Position | None) -> uuid.UUID | None:
    """Return the id of the last row to scan, or None if fewer rows are left."""
    query: Select[Any] = select(model.id).order_by(model.id.desc()).offset(SCAN_LIMIT - 1).limit(1)
    if after is not None:
        query = query.where(model.id < after.id)
    found: uuid.UUID | None = await session.scalar(query)
    return found


def _to_page(
    rows: Sequence[RowT], ids: Sequence[uuid.UUID], limit: int, oldest: uuid.UUID | None
) -> Page[RowT]:
    if len(rows) > limit:
        return Page(rows[:limit], Position(EPOCH, ids[limit - 1]))
    if oldest is not None:
        return Page(rows, Position(EPOCH, oldest), is_whole=False)
    return Page(rows)


_CODES = select(ReferralCode, User).join(User, User.id == ReferralCode.owner_id)
