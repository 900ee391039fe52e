"""Clear the evidence of old risk signals. Their kinds and levels stay."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.risk.models import RiskSignal


async def clear_old(session: AsyncSession, *, limit: int, before: datetime) -> int:
    """Clear the evidence of up to `limit` signals from before a moment. Return how many."""
    old = (RiskSignal.created_at < before, RiskSignal.evidence_mac.is_not(None))
    found = (
        await session.scalars(select(RiskSignal.id).where(*old).order_by(RiskSignal.created_at).limit(limit))
    ).all()
    if found:
        await session.execute(
            update(RiskSignal)
            .where(RiskSignal.id.in_(found))
            .values(evidence_mac=None)
            .execution_options(synchronize_session=False)
        )
    return len(found)
