"""What an answer shows of a participant: the person, the code to share, and the referral."""

import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from goodword.codes import code_format
from goodword.codes.models import ReferralCode, usable
from goodword.participants.schemas import (
    ParticipantCode,
    ParticipantRead,
    ParticipantReferral,
    ReferrerRead,
    Warnings,
)
from goodword.programs.models import DEFAULT_PROGRAM_ID
from goodword.referrals.models import AttributedBy, Referral, ReferralStatus
from goodword.services import Services
from goodword.users.models import User, display_name

T = TypeVar("T")


class State(NamedTuple):
    """A participant, the code and the referral in the program of the call."""

    user: User
    code: ReferralCode | None
    referral: ParticipantReferral | None


async def find_code(
    session: AsyncSession, owner_id: uuid.UUID, within: uuid.UUID | None, *, now: datetime
) -> ReferralCode | None:
    """Return the code that the person can share now: of this program, else of the default one or another."""
    query = _in_program(select(ReferralCode).where(usable(now)), ReferralCode, within)
    found: ReferralCode | None = await session.scalar(query.where(ReferralCode.owner_id == owner_id).limit(1))
    return found


async def has_had_code(session: AsyncSession, owner_id: uuid.UUID, within: uuid.UUID | None) -> bool:
    query = _in_program(select(ReferralCode.id), ReferralCode, within)
    return await session.scalar(query.where(ReferralCode.owner_id == owner_id).limit(1)) is not None


async def find_referral(
    session: AsyncSession, referee_id: uuid.UUID, within: uuid.UUID | None
) -> ParticipantReferral | None:
    """Return the referral of a person: in this program, else in the default one or another."""
    query = _in_program(REFERRALS, Referral, within).where(Referral.referee_id == referee_id)
    row = (await session.execute(query.limit(1))).first()
    return referral_of(row) if row else None


async def state_of(session: AsyncSession, user: User, within: uuid.UUID | None, *, now: datetime) -> State:
    """Return a participant with the code and the referral in a program."""
    code = await find_code(session, user.id, within, now=now)
    return State(user, code, await find_referral(session, user.id, within))


def _in_program(query: Any, model: Any, within: uuid.UUID | None) -> Any:
    """Limit a query to a program, or order it with the default program first."""
    if within is not None:
        return query.where(model.program_id == within)
    return query.order_by((model.program_id == DEFAULT_PROGRAM_ID).desc(), model.created_at)


def referral_of(row: Any) -> ParticipantReferral:
    """Return the referral in a row of `REFERRALS`."""
    referral: Referral = row.Referral
    return ParticipantReferral(
        id=referral.id,
        status=ReferralStatus(referral.status),
        referrer=ReferrerRead(
            external_id=row.external_id, display_name=display_name(row.first_name, row.last_name)
        ),
        code=row.code,
        attributed_by=AttributedBy(referral.attributed_by),
        touch=referral.touch_id,
        reason=referral.reason,
        created_at=referral.created_at,
        confirmed_at=referral.confirmed_at,
    )


def preferred(
    rows: Iterable[T], within: uuid.UUID | None, of: Callable[[T], Any] = lambda row: row
) -> T | None:
    """Return the row that `_in_program` would put first."""
    found = [row for row in rows if within in {None, of(row).program_id}]
    return min(
        found,
        key=lambda row: (of(row).program_id != DEFAULT_PROGRAM_ID, of(row).created_at),
        default=None,
    )


def read(services: Services, state: State, warnings: list[Warnings] | None = None) -> ParticipantRead:
    """Return a participant as the API shows it."""
    user, code = state.user, state.code
    assert user.external_id is not None, "a participant has an external id"
    return ParticipantRead(
        id=user.id,
        external_id=user.external_id,
        email=user.email or user.reported_email,
        email_verified=user.email_verified,
        first_name=user.first_name,
        last_name=user.last_name,
        language=user.language,
        created_at=user.created_at,
        signed_up_at=user.signed_up_at or user.created_at,
        code=ParticipantCode(
            code=code.code,
            link=code_format.link(services.settings.public_url, code.code),
            expires_at=code.expires_at,
        )
        if code is not None and code.code is not None
        else None,
        referral=state.referral,
        warnings=warnings or [],
    )


_referrer = aliased(User)
REFERRALS = (
    select(Referral, ReferralCode.code, _referrer.external_id, _referrer.first_name, _referrer.last_name)
    .join(ReferralCode, ReferralCode.id == Referral.code_id)
    .join(_referrer, _referrer.id == Referral.referrer_id)
)
"""Referrals with what a participant shows of them: see `referral_of`."""
