"""Clear the keyed hashes of old touches. They serve to compare recent touches only."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.touches.models import HASHED, Touch


async def clear_old(session: AsyncSession, *, limit: int, before: datetime) -> int:
    """Clear the hashes of up to `limit` touches from before a moment. Return how many."""
    query = select(Touch.id).where(Touch.created_at < before, HASHED)
    found = (await session.scalars(query.order_by(Touch.created_at).limit(limit))).all()
    if found:
        await session.execute(
            update(Touch)
            .where(Touch.id.in_(found))
            .values(network_mac=None, device_mac=None)
            .execution_options(synchronize_session=False)
        )
    return len(found)
