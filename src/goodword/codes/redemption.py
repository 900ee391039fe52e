"""Use of a code by a person who joins with it."""

import uuid
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, and_, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.codes import lookup
from goodword.codes.models import ReferralCode, Retirement, in_running_program, usable
from goodword.users.models import User


class Used(NamedTuple):
    code_id: uuid.UUID
    program_id: uuid.UUID
    expires_at: datetime


async def lock_owner(session: AsyncSession, key: str) -> Row[Any] | None:
    """Lock the owner of the code with this normalised key, and return some columns of the account.

    The owner's row is locked before the code's, as everywhere, to prevent deadlocks. The lock is exclusive: with
    shared locks, a steady stream of registrations would keep the owner from changing the code.
    """
    owner: Row[Any] | None = (await session.execute(_LOCK_OWNER, {"code_key": key})).one_or_none()
    return owner


async def use(
    session: AsyncSession, key: str, owner: Row[Any], *, now: datetime, ended_since: datetime | None = None
) -> Used | None:
    """Use a code of the locked `owner` once, or return None if it cannot be used.

    With `ended_since`, a code that expired at this time or later can be used too.
    """
    values = {"code_key": key, "now": now}
    if ended_since is None:
        found = await session.execute(_USE, values)
    else:
        found = await session.execute(_USE_ENDED, values | {"ended_since": ended_since})
    used = found.one_or_none()
    if used is None:
        return None
    if used.uses == used.max_uses:
        lookup.invalidate(session, key, owner.email_key)
    return Used(used.id, used.program_id, used.expires_at)


_LOCK_OWNER: Any = (
    select(
        User.id,
        User.status,
        User.email_key,
        User.email_canonical,
        User.verified_at,
        User.reported_email,
        User.external_id,
        User.first_name,
        User.last_name,
        ReferralCode.program_id,
        ReferralCode.code,
    )
    .join(ReferralCode, ReferralCode.owner_id == User.id)
    .where(ReferralCode.key == bindparam("code_key"))
    .with_for_update(key_share=True, of=User)
)
_NOW = bindparam("now", type_=ReferralCode.expires_at.type)
_ENDED_USABLE = and_(
    ReferralCode.activated_at.is_not(None),
    ReferralCode.expires_at >= bindparam("ended_since", type_=ReferralCode.expires_at.type),
    # A code that expired is retired when its owner activates another one.
    or_(ReferralCode.retired_at.is_(None), ReferralCode.retired_reason == Retirement.EXPIRED),
    ReferralCode.deleted_at.is_(None),
    or_(ReferralCode.max_uses.is_(None), ReferralCode.uses < ReferralCode.max_uses),
)
_USED = (
    ReferralCode.id,
    ReferralCode.program_id,
    ReferralCode.expires_at,
    ReferralCode.uses,
    ReferralCode.max_uses,
)


def _using(condition: Any) -> Any:
    return (
        update(ReferralCode)
        .where(ReferralCode.key == bindparam("code_key"), condition, in_running_program(_NOW))
        .values(uses=ReferralCode.uses + 1)
        .returning(*_USED)
        .execution_options(synchronize_session=False)
    )


_USE, _USE_ENDED = _using(usable(_NOW)), _using(_ENDED_USABLE)
