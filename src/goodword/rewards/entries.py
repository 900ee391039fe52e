"""Entries: each change of a reward, with its amount. They are never changed."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.actor import current_context
from goodword.db.statements import with_defaults
from goodword.db.transaction_hooks import insert_before_commit
from goodword.rewards.models import Reward, RewardEntry

_TABLE: Any = RewardEntry.__table__


def add(
    session: AsyncSession,
    reward: Reward,
    former: str | None,
    amount_minor: int,
    *,
    now: datetime,
    reason: str | None = None,
) -> None:
    """Add an entry just before the commit: the reward has its new status, and had `former`."""
    context = current_context()
    values = {
        "reward_id": reward.id,
        "from_status": former,
        "to_status": reward.status,
        "amount_minor": amount_minor,
        "reason": reason,
        "actor": context.actor,
        "actor_id": context.actor_id,
        "created_at": now,
    }
    insert_before_commit(session, _TABLE, with_defaults(RewardEntry, values))
