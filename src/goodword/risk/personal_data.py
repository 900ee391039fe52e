"""Personal data: risk signals and reviews of referrals, and what remains of an erased referee."""

from typing import Any

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.personal_data import DataSubject, PersonalData, fields_of, rows_by_id
from goodword.db.statements import insert_if_absent
from goodword.referrals.models import Referral
from goodword.risk import service
from goodword.risk.models import FormerReferee, Review, RiskSignal
from goodword.services import Services
from goodword.users.models import User


async def _erase_signals(session: AsyncSession, services: Services, subject: DataSubject) -> None:
    """Clear what the referrer and the referee share, and remember the programs in which the user was referred."""
    await session.execute(_CLEAR_EVIDENCE, {"user_id": subject.user_id})
    user = await session.get_one(User, subject.user_id)
    programs = await session.scalars(_PROGRAMS, {"user_id": subject.user_id})
    for program_id in programs.all():
        for person_mac in filter(None, service.macs_of(services, user)):
            values = {"program_id": program_id, "person_mac": person_mac, "created_at": services.clock()}
            await insert_if_absent(session, FormerReferee, **values)


async def _erase_reviews(session: AsyncSession, _services: Services, subject: DataSubject) -> None:
    # The reviewer may have named the user.
    await session.execute(_CLEAR_REASONS, {"user_id": subject.user_id})


_OWN = select(Referral.id).where(
    or_(Referral.referee_id == bindparam("user_id"), Referral.referrer_id == bindparam("user_id"))
)
_CLEAR_EVIDENCE = (
    update(RiskSignal)
    .where(RiskSignal.referral_id.in_(_OWN), RiskSignal.evidence_mac.is_not(None))
    .values(evidence_mac=None)
    .execution_options(synchronize_session=False)
)
_CLEAR_REASONS = (
    update(Review)
    .where(Review.referral_id.in_(_OWN), Review.reason.is_not(None))
    .values(reason=None)
    .execution_options(synchronize_session=False)
)
_PROGRAMS = select(Referral.program_id).where(Referral.referee_id == bindparam("user_id"))
_signals: Any = select(RiskSignal.id, RiskSignal.kind, RiskSignal.level, RiskSignal.created_at).join(
    Referral, Referral.id == RiskSignal.referral_id
)
_reviews: Any = select(Review.id, Review.decision, Review.created_at).join(
    Referral, Referral.id == Review.referral_id
)

PERSONAL_DATA = (
    PersonalData(
        model=RiskSignal,
        erase=_erase_signals,
        export={
            "risk_signals": rows_by_id(
                _signals, Referral.referee_id, RiskSignal.id, fields_of("kind level created_at")
            )
        },
    ),
    PersonalData(
        model=Review,
        erase=_erase_reviews,
        export={
            "reviews": rows_by_id(_reviews, Referral.referee_id, Review.id, fields_of("decision created_at"))
        },
    ),
)
