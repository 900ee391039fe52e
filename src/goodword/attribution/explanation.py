"""Why a person was attributed to a referrer, and why claims were refused."""

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.attribution.reasons import Reason
from goodword.audit.actions import Action
from goodword.audit.models import AuditEvent
from goodword.codes.models import ReferralCode
from goodword.programs.models import Program
from goodword.referrals.models import Referral
from goodword.touches.models import Touch
from goodword.users.models import User

MAX_REFUSALS = 10


class Refusal(NamedTuple):
    created_at: datetime
    reason: Reason
    code: str | None
    """None if there is no such code, or if its owner is erased."""
    program: str | None


async def attributions(session: AsyncSession, referee_id: uuid.UUID) -> Sequence[Row[Any]]:
    """Return the referrals by which a person joined, one in each program, with code, touch and referrer.

    Without a `touched_at` there was no touch, or its row was removed after its time.
    """
    found: Sequence[Row[Any]] = (await session.execute(_ATTRIBUTIONS, {"referee_id": referee_id})).all()
    return found


async def refusals(session: AsyncSession, person_id: uuid.UUID) -> Sequence[Refusal]:
    """Return the latest refused claims of a person, latest first."""
    events = (await session.execute(_REFUSALS, {"person_id": person_id})).all()
    found = [(event.created_at, json.loads(event.details)) for event in events]
    ids = [uuid.UUID(details["code_id"]) for _, details in found if "code_id" in details]
    codes = {row.id: row for row in await session.execute(_CODES, {"ids": ids})} if ids else {}
    refused = []
    for created_at, details in found:
        code = codes.get(uuid.UUID(details["code_id"])) if "code_id" in details else None
        reason = Reason(details["reason"])
        refused.append(Refusal(created_at, reason, code and code.code, code and code.slug))
    return refused


_ATTRIBUTIONS: Any = (
    select(
        Referral.id,
        Referral.created_at,
        Referral.status,
        Referral.reason,
        Referral.attributed_by,
        ReferralCode.code,
        Program.slug.label("program"),
        Touch.created_at.label("touched_at"),
        Touch.kind,
        Touch.host,
        User.id.label("referrer_id"),
        User.external_id.label("referrer_external_id"),
        User.first_name,
        User.last_name,
        User.email,
    )
    .join(ReferralCode, ReferralCode.id == Referral.code_id)
    .join(Program, Program.id == Referral.program_id)
    .join(User, User.id == Referral.referrer_id)
    .outerjoin(Touch, Touch.id == Referral.touch_id)
    .where(Referral.referee_id == bindparam("referee_id"))
    .order_by(Referral.created_at, Referral.id)
)
_REFUSALS = (
    select(AuditEvent.created_at, AuditEvent.details)
    .where(
        AuditEvent.person_id == bindparam("person_id"),
        AuditEvent.action == Action.REFERRAL_REFUSED,
    )
    .order_by(AuditEvent.id.desc())
    .limit(MAX_REFUSALS)
)
_CODES = (
    select(ReferralCode.id, ReferralCode.code, Program.slug)
    .join(Program, Program.id == ReferralCode.program_id)
    .where(ReferralCode.id.in_(bindparam("ids", expanding=True)))
)
