"""How often somebody may ask about addresses: each question may cost the operator a credit."""

import math
import uuid
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import case, or_, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.db.statements import insert_if_absent
from goodword.errors import TooManyRequests
from goodword.providers.models import EmailCheckQuota

DAILY = 20


class TooManyChecks(TooManyRequests):
    code, detail = "too_many_checks", "You may ask about 20 addresses a day. Ask again tomorrow (UTC)."


async def use(session: AsyncSession, user_id: uuid.UUID, *, now: datetime) -> None:
    """One more. Raises `TooManyChecks`."""
    today = now.astimezone(UTC).date()
    await insert_if_absent(session, EmailCheckQuota, user_id=user_id, day=today, asked=0, created_at=now)
    quota, same_day = EmailCheckQuota, EmailCheckQuota.day == today
    used = await session.scalar(
        update(quota)
        .where(quota.user_id == user_id, or_(~same_day, quota.asked < DAILY))
        .values(day=today, asked=case((same_day, quota.asked + 1), else_=1))
        .returning(quota.asked)
        .execution_options(synchronize_session=False)
    )
    if used is None:
        midnight = datetime.combine(today + timedelta(days=1), time(), UTC)
        wait = math.ceil((midnight - now).total_seconds())
        raise TooManyChecks(headers={"Retry-After": str(max(wait, 1))})
    record(session, Action.EMAIL_CHECKED, Subject.USER, user_id)
