"""Addresses in the audit: they serve to look into an attack of late, and are cleared when that is over."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.actor import Actor
from goodword.audit.models import WITH_ADDRESS, AuditEvent
from goodword.audit.service import first_id

RETENTION = timedelta(days=90)


async def clear_old(session: AsyncSession, *, limit: int, now: datetime) -> int:
    """Clear addresses that are older than 90 days, `limit` at most. Returns how many. Seals stay good."""
    return await _clear(session, AuditEvent.id < first_id(now - RETENTION), limit=limit)


async def clear_for_user(session: AsyncSession, user_id: uuid.UUID, *, limit: int) -> int:
    """The same of rows that somebody erased wrote, and of those about them that nobody signed in wrote."""
    nobody = and_(AuditEvent.person_id == user_id, AuditEvent.actor == Actor.ANONYMOUS.value)
    return await _clear(session, or_(AuditEvent.actor_id == user_id, nobody), limit=limit)


async def _clear(session: AsyncSession, which: ColumnElement[bool], *, limit: int) -> int:
    # Only what is sealed: the digest, which the seal covers, is made with the seal.
    query = select(AuditEvent.id).where(which, WITH_ADDRESS, AuditEvent.sequence.is_not(None))
    found: Sequence[uuid.UUID] = (await session.scalars(query.order_by(AuditEvent.id).limit(limit))).all()
    if found:
        await session.execute(
            update(AuditEvent)
            .where(AuditEvent.id.in_(found))
            .values(address=None)
            .execution_options(synchronize_session=False)
        )
    return len(found)
