"""Use of a code by a user who registers with it."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.codes import code_format, lookup
from goodword.codes.models import ReferralCode, in_running_program, usable
from goodword.users.models import User, UserStatus, display_name


class Redemption(NamedTuple):
    code_id: uuid.UUID
    referrer_id: uuid.UUID
    referrer: str
    """The display name of the referrer."""
    mailbox: str | None = None
    """The canonical address of the referrer."""


async def redeem(session: AsyncSession, code: str, *, clock: Callable[[], datetime]) -> Redemption | None:
    """Use a code once and return the redemption, or None if the code is not usable.

    The owner's row is locked before the code's, as everywhere, to prevent deadlocks. The lock is exclusive: with
    shared locks, a steady stream of registrations would keep the owner from changing the code. The clock is read
    after the wait for the lock.
    """
    key = code_format.normalise(code) or ""
    owner = (await session.execute(_LOCK_OWNER, {"code_key": key})).one_or_none()
    if owner is None:
        return None
    used = (await session.execute(_USE, {"code_key": key, "now": clock()})).one_or_none()
    if used is None:
        return None
    if used.uses == used.max_uses:
        lookup.invalidate(session, key, owner.email_key)
    return Redemption(
        used.id, owner.id, display_name(owner.first_name, owner.last_name), owner.email_canonical
    )


_LOCK_OWNER = (
    select(User.id, User.email_key, User.email_canonical, User.first_name, User.last_name)
    .join(ReferralCode, ReferralCode.owner_id == User.id)
    .where(ReferralCode.key == bindparam("code_key"), User.status == UserStatus.ACTIVE)
    .with_for_update(key_share=True, of=User)
)
_USE = (
    update(ReferralCode)
    .where(
        ReferralCode.key == bindparam("code_key"),
        usable(bindparam("now")),
        in_running_program(bindparam("now")),
    )
    .values(uses=ReferralCode.uses + 1)
    .returning(ReferralCode.id, ReferralCode.uses, ReferralCode.max_uses)
    .execution_options(synchronize_session=False)
)
