"""Publish the changes of codes as domain events."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.codes.models import ReferralCode
from goodword.domain_events import service as domain_events
from goodword.domain_events.events import CodeChanged
from goodword.services import Services

CREATED, ACTIVATED, RETIRED, EXPIRED = "created", "activated", "retired", "expired"


async def publish(
    session: AsyncSession, services: Services, code: ReferralCode, *changes: str, now: datetime
) -> None:
    """Publish what happened to a code, in this order. Its row is locked, or inserted by this transaction."""
    for change in changes:
        changed = CodeChanged(
            code_id=code.id, owner_id=code.owner_id, program_id=code.program_id, change=change, at=now
        )
        await domain_events.publish(session, services, changed)


async def publish_created(
    session: AsyncSession, services: Services, code: ReferralCode, *, now: datetime
) -> None:
    """Publish that a code was created and, unless it is prepared, activated."""
    happened = (CREATED,) if code.activated_at is None else (CREATED, ACTIVATED)
    await publish(session, services, code, *happened, now=now)
