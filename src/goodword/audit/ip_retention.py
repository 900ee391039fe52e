"""Clear IP addresses from the audit log. They serve to investigate recent attacks."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.actor import Actor
from goodword.audit.models import WITH_ADDRESS, AuditEvent
from goodword.audit.service import first_id


async def clear_old(session: AsyncSession, *, limit: int, before: datetime) -> int:
    """Clear up to `limit` addresses from before a moment. Return how many. Seals stay valid."""
    return await _clear(session, AuditEvent.id < first_id(before), limit=limit)


async def clear_for_user(session: AsyncSession, user_id: uuid.UUID, *, limit: int) -> int:
    """Clear up to `limit` addresses in events by an erased user, or about them by an anonymous client."""
    anonymous = and_(AuditEvent.person_id == user_id, AuditEvent.actor == Actor.ANONYMOUS.value)
    return await _clear(session, or_(AuditEvent.actor_id == user_id, anonymous), limit=limit)


async def _clear(session: AsyncSession, condition: ColumnElement[bool], *, limit: int) -> int:
    # Sealed rows only: the seal covers a digest of the address, which is computed with it.
    query = select(AuditEvent.id).where(condition, WITH_ADDRESS, AuditEvent.sequence.is_not(None))
    query = query.order_by(AuditEvent.id).limit(limit).with_for_update(skip_locked=True)
    found: Sequence[uuid.UUID] = (await session.scalars(query)).all()
    if found:
        await session.execute(
            update(AuditEvent)
            .where(AuditEvent.id.in_(found))
            .values(address=None)
            .execution_options(synchronize_session=False)
        )
    return len(found)
