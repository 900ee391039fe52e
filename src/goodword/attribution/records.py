"""What attribution records: touches of entered codes, and refusals."""

import json
import uuid
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.attribution.reasons import Reason
from goodword.audit import service as audit
from goodword.audit.actions import Action, Subject
from goodword.audit.models import AuditEvent
from goodword.codes.redemption import Used
from goodword.db.transaction_hooks import run_after_commit
from goodword.services import Services
from goodword.touches.models import TouchKind
from goodword.touches.service import new_id
from goodword.users.models import User


def record_entry(
    session: AsyncSession,
    services: Services,
    used: Used,
    *,
    network: bytes,
    user_agent: str | None,
    now: datetime,
) -> uuid.UUID:
    """Record, after the commit, that a person has entered a code. Return the id of the touch."""
    touch_id = new_id(now)

    async def write() -> None:
        services.touches.record(
            touch_id=touch_id,
            code_id=used.code_id,
            program_id=used.program_id,
            kind=TouchKind.ENTRY,
            network=network,
            user_agent=user_agent,
            now=now,
        )

    run_after_commit(session, write)
    return touch_id


async def record_refusal(
    session: AsyncSession, referee: User, reason: Reason, code_id: uuid.UUID | None
) -> None:
    """Record a refusal in the log of the person, unless it is the same as the last one."""
    details: dict[str, str | int] = {"reason": reason.value}
    if code_id is not None:
        details["code_id"] = str(code_id)
    last = await session.scalar(_LAST_REFUSAL, {"referee_id": referee.id})
    if last is None or json.loads(last) != details:
        audit.record(session, Action.REFERRAL_REFUSED, Subject.USER, referee.id, person=None, **details)


_LAST_REFUSAL = (
    select(AuditEvent.details)
    .where(
        AuditEvent.person_id == bindparam("referee_id"),
        AuditEvent.action == Action.REFERRAL_REFUSED,
    )
    .order_by(AuditEvent.id.desc())
    .limit(1)
)
