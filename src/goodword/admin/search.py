"""Looking through all accounts and all codes, of which there may be millions, a stretch at a time.

What is typed whole is found by an index. A part of it, or a state that few are in, has none on either database:
those are looked for among the next `STRETCH` rows only, and the page offers to go on from there.
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

STRETCH = 20_000
Found = TypeVar("Found")
Owned = Row[ReferralCode, User]
"""A code and its owner."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Found]):
    """What was found, and where to go on; `is_whole` unless there is more to look through for this page."""

    rows: Sequence[Found]
    following: Position | None = None
    is_whole: bool = True


async def people(
    session: AsyncSession, *, part: str | None, status: UserStatus | None, after: Position | None, limit: int
) -> Page[User]:
    """Accounts, newest first: the one with this address or id, or else those that `part` is in."""
    if part and after is None and (exact := await _person(session, part)) is not None:
        return Page([exact])
    return await accounts(session, part=part, status=status, after=after, limit=limit)


async def accounts(
    session: AsyncSession,
    *,
    email: str | None = None,
    part: str | None = None,
    status: UserStatus | None = None,
    after: Position | None,
    limit: int,
) -> Page[User]:
    """Accounts, newest first: all of them with this address, that `part` is in, in this state."""
    found_by_index = email is not None or not (part or status)
    last = None if found_by_index else await _end_of_stretch(session, User, after)
    found = await service.page(
        session,
        email=email,
        part=part,
        status=status,
        after=after.id if after else None,
        not_before=last,
        limit=limit,
    )
    return _cut(found, [user.id for user in found], limit, last)


async def all_codes(
    session: AsyncSession,
    *,
    part: str | None,
    status: CodeStatus | None,
    after: Position | None,
    limit: int,
    now: datetime,
) -> Page[Owned]:
    """Codes of everybody with their owners, newest first: the one that is this, or those that `part` is in."""
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
    last = await _end_of_stretch(session, ReferralCode, after) if part or status else None
    if last is not None:
        query = query.where(ReferralCode.id >= last)
    rows = (await session.execute(query.limit(limit + 1))).all()
    return _cut(rows, [row.ReferralCode.id for row in rows], limit, last)


async def codes_ending(
    session: AsyncSession, *, after: Position | None, limit: int, now: datetime
) -> Page[Owned]:
    """Codes in force that end within seven days, the next to end first."""
    place = (ReferralCode.expires_at, ReferralCode.id)
    query = _CODES.where(has_status(CodeStatus.ACTIVE, now), ReferralCode.expires_at <= now + statistics.SOON)
    query = keyset_page(query, place, after=after, limit=limit, descending=False)
    rows = (await session.execute(query)).all()
    if len(rows) <= limit:
        return Page(rows)
    code = rows[limit - 1].ReferralCode
    return Page(rows[:limit], Position(code.expires_at, code.id))


async def _person(session: AsyncSession, text: str) -> User | None:
    try:
        return await session.get(User, uuid.UUID(text))
    except ValueError:
        return next(iter(await service.page(session, email=text, limit=1)), None)


async def _end_of_stretch(
    session: AsyncSession, model: type[Base], after: Position | None
) -> uuid.UUID | None:
    """The id of the last row to look at; None if there are not that many."""
    query: Select[Any] = select(model.id).order_by(model.id.desc()).offset(STRETCH - 1).limit(1)
    if after is not None:
        query = query.where(model.id < after.id)
    found: uuid.UUID | None = await session.scalar(query)
    return found


def _cut(rows: Sequence[Found], ids: Sequence[uuid.UUID], limit: int, last: uuid.UUID | None) -> Page[Found]:
    if len(rows) > limit:
        return Page(rows[:limit], Position(EPOCH, ids[limit - 1]))
    if last is not None:
        return Page(rows, Position(EPOCH, last), is_whole=False)
    return Page(rows)


_CODES = select(ReferralCode, User).join(User, User.id == ReferralCode.owner_id)
