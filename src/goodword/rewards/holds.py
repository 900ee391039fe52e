"""The end of holds: a recurring job approves the rewards that need no approval by hand."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.jobs.service import ClaimedJob, enqueue
from goodword.jobs.worker import Handler
from goodword.referrals.models import Referral, ReferralStatus
from goodword.rewards import states
from goodword.rewards.models import Reward, RewardStatus
from goodword.services import Services

KIND = "end_reward_holds"
TOGETHER = 200
"""Rewards in one transaction."""
BATCHES = 50
"""Transactions of one job. Another one continues."""


async def end_holds(services: Services, job: ClaimedJob) -> None:
    """Approve the rewards whose hold has ended."""
    for _ in range(BATCHES):
        async with services.database.transaction() as session:
            ended = await approve_due(session, services, now=services.clock())
        if ended < TOGETHER:
            return
    async with services.database.transaction() as session:
        enqueue(session, job.kind, {}, now=services.clock())


async def approve_due(session: AsyncSession, services: Services, *, now: datetime) -> int:
    """Approve some of the rewards whose hold has ended, and return how many. Concurrent workers take others."""
    rewards = (await session.scalars(_DUE, {"now": now})).all()
    for reward in rewards:
        await states.change(session, services, reward, RewardStatus.APPROVED, now=now)
    return len(rewards)


HANDLERS: Mapping[str, Handler] = {KIND: end_holds}
PERIODIC_TASKS = {KIND: timedelta(minutes=1)}

_DUE: Any = (
    select(Reward)
    .join(Referral, Referral.id == Reward.referral_id)
    .where(
        Reward.status == RewardStatus.PENDING,
        Reward.is_automatic == true(),
        Reward.available_at <= bindparam("now", type_=Reward.available_at.type),
        Referral.status == ReferralStatus.CONFIRMED,
    )
    .order_by(Reward.available_at)
    .limit(TOGETHER)
    .with_for_update(of=Reward, skip_locked=True)
    .execution_options(populate_existing=True)
)
