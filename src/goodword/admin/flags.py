"""Flags of users for administrators."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Literal

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from goodword.config.settings import Settings
from goodword.referrals.models import Referral
from goodword.users.models import User

Flag = Literal["self_referral"]


async def find(
    session: AsyncSession, settings: Settings, user_ids: Sequence[uuid.UUID]
) -> Mapping[uuid.UUID, Sequence[Flag]]:
    """Return the flags of the users that have any: both sides of a referral between addresses of one mailbox.

    Two addresses are one mailbox if they differ by a plus-tag or Gmail's dots only.
    """
    if settings.self_referrals == "allow":
        return {}
    user, other = aliased(User), aliased(User)
    referral = or_(
        and_(Referral.referrer_id == user.id, Referral.referee_id == other.id),
        and_(Referral.referrer_id == other.id, Referral.referee_id == user.id),
    )
    query = (
        select(user.id)
        .join(other, and_(other.email_canonical == user.email_canonical, other.id != user.id))
        .join(Referral, referral)
        .where(user.id.in_(user_ids))
    )
    return dict.fromkeys(await session.scalars(query), ("self_referral",))
