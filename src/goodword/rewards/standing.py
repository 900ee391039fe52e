"""The referral by which a participant is in a program, when an event is received."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from goodword.domain_events.events import ReferralMade
from goodword.referrals.models import Referral
from goodword.rewards.models import Beneficiary
from goodword.users.models import User


@dataclass(frozen=True, slots=True)
class Standing:
    """The referral of a participant in a program, and the two people, when an event is received."""

    referral_id: uuid.UUID
    referrer_id: uuid.UUID
    referee_id: uuid.UUID
    status: str
    referrer_is_active: bool
    referee_is_active: bool
    referrer_external_id: str | None
    referee_external_id: str | None
    signed_up_at: datetime
    registered_before: bool = False

    def user_id(self, beneficiary: str) -> uuid.UUID:
        return self.referrer_id if beneficiary == Beneficiary.REFERRER else self.referee_id

    def external_id(self, beneficiary: str) -> str | None:
        is_referrer = beneficiary == Beneficiary.REFERRER
        return self.referrer_external_id if is_referrer else self.referee_external_id

    def is_active(self, beneficiary: str) -> bool:
        return self.referrer_is_active if beneficiary == Beneficiary.REFERRER else self.referee_is_active


async def lock(session: AsyncSession, referee_id: uuid.UUID, program_id: uuid.UUID) -> Standing | None:
    """Return the referral of a participant in a program, or None.

    It is locked with its referrer. So all that concerns the rewards of one referrer happens one after the other.
    """
    values = {"referee_id": referee_id, "program_id": program_id}
    row = (await session.execute(_LOCKED, values)).one_or_none()
    if row is None:  # maybe a merge that has just ended gave the referral another referrer
        row = (await session.execute(_LOCKED, values)).one_or_none()
    if row is None:
        return None
    referral: Referral = row.Referral
    referee: User = row.referee
    referrer: User = row.referrer
    return Standing(
        referral_id=referral.id,
        referrer_id=referral.referrer_id,
        referee_id=referral.referee_id,
        status=referral.status,
        referrer_is_active=referrer.is_active,
        referee_is_active=referee.is_active,
        referrer_external_id=referrer.external_id,
        referee_external_id=referee.external_id,
        signed_up_at=referee.signed_up_at or referee.created_at,
        registered_before=referral.registered_before,
    )


def of_new(made: ReferralMade) -> Standing:
    """Return the standing of a referral that is inserted at the end of this transaction. Its people are active."""
    return Standing(
        referral_id=made.referral_id,
        referrer_id=made.referrer_id,
        referee_id=made.referee_id,
        status=made.status,
        referrer_is_active=True,
        referee_is_active=True,
        referrer_external_id=None,
        referee_external_id=None,
        signed_up_at=made.signed_up_at,
        registered_before=made.registered_before,
    )


_referrer, _referee = aliased(User, name="referrer"), aliased(User, name="referee")
_LOCKED: Any = (
    select(Referral, _referrer, _referee)
    .join(_referrer, _referrer.id == Referral.referrer_id)
    .join(_referee, _referee.id == Referral.referee_id)
    .where(Referral.referee_id == bindparam("referee_id"), Referral.program_id == bindparam("program_id"))
    .with_for_update(key_share=True, of=(_referrer, Referral))
    .execution_options(populate_existing=True)
)
