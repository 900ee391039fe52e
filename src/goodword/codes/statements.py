"""Statements that change a code. The owner's row is locked before them, so they see all codes of the owner."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping, and_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record_change
from goodword.codes import lookup
from goodword.codes.models import CodeStatus, ReferralCode, Retirement, has_status
from goodword.users.models import User

MAX_CODES = 10_000
"""Codes of one owner, with retired and deleted ones: their rows stay."""

# The reason alone marks codes that were deleted before there was `deleted_at`, or by a node of an earlier release.
NOT_DELETED = and_(
    ReferralCode.deleted_at.is_(None), func.coalesce(ReferralCode.retired_reason, "") != Retirement.DELETED
)

_CODES: Any = ReferralCode.__table__
_OTHERS = _CODES.alias("others")
FULL = (
    select(ReferralCode.id)
    .where(ReferralCode.owner_id == bindparam("owner_id"))
    .offset(MAX_CODES - 1)
    .limit(1)
    .exists()
)
HAS_ROOM = ~FULL
_OWN = and_(_CODES.c.owner_id == bindparam("owner"), _CODES.c.key == bindparam("code_key"), NOT_DELETED)
_NOW = bindparam("now", type_=_CODES.c.created_at.type)
ACTIVATE = (
    update(_CODES)
    .where(
        _OWN,
        has_status(CodeStatus.PREPARED, _NOW),
        ~select(_OTHERS.c.id)
        .where(
            _OTHERS.c.owner_id == bindparam("owner"),
            _OTHERS.c.program_id == _CODES.c.program_id,
            _OTHERS.c.activated_at.is_not(None),
            _OTHERS.c.retired_at.is_(None),
        )
        .exists(),
    )
    .values(activated_at=_NOW)
    .returning(*_CODES.c)
)
DELETE = (
    update(_CODES)
    .where(_OWN)
    .values(
        deleted_at=_NOW,
        retired_at=func.coalesce(_CODES.c.retired_at, _NOW),
        retired_reason=func.coalesce(_CODES.c.retired_reason, Retirement.DELETED.value),
    )
    .returning(*_CODES.c)
)


async def change(
    session: AsyncSession,
    owner: User,
    statement: Any,
    values: Mapping[str, object],
    key: str,
    action: Action,
    **details: str | int,
) -> RowMapping | None:
    """Run a statement that changes the code with this key. Return its row, or None if it changed none."""
    row = await record_change(session, statement, values, action, Subject.CODE, person=owner.id, **details)
    if row is not None:
        lookup.invalidate(session, key, owner.email_key)
    return row
