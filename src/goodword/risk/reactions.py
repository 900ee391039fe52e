"""Signals that a referral gets after it was made."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.codes.models import ReferralCode
from goodword.db.statements import insert_if_absent
from goodword.domain_events.events import CircleRefused
from goodword.domain_events.service import Handler
from goodword.referrals.models import Referral
from goodword.risk.models import Level, RiskSignal, SignalKind
from goodword.services import Services


async def on_circle_refused(session: AsyncSession, _services: Services, refused: CircleRefused) -> None:
    """Record once that the owner of the code and a person above them tried to refer each other.

    The signal is of the referral of the owner. It changes no status.
    """
    for referral_id in (await session.scalars(_OF_OWNER, {"code_id": refused.code_id})).all():
        await insert_if_absent(
            session,
            RiskSignal,
            referral_id=referral_id,
            kind=SignalKind.CIRCLE_ATTEMPT,
            level=Level.MEDIUM,
            created_at=refused.at,
        )


HANDLERS: Mapping[type, Handler] = {CircleRefused: on_circle_refused}

_OF_OWNER: Any = (
    select(Referral.id)
    .join(
        ReferralCode,
        and_(ReferralCode.owner_id == Referral.referee_id, ReferralCode.program_id == Referral.program_id),
    )
    .where(ReferralCode.id == bindparam("code_id"))
)
