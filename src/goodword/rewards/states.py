"""The states of rewards. This module alone changes them: each change adds an entry.

    pending → approved → fulfilled → reversed
    pending, approved → canceled        approved → reversed

A refund in part takes back a part and leaves the state.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit import service as audit
from goodword.audit.actions import Action, Subject
from goodword.db.transaction_hooks import insert_now
from goodword.domain_events import service as domain_events
from goodword.domain_events.events import RewardChanged
from goodword.errors import Conflict, NotFound, Unprocessable
from goodword.referrals.models import Referral, ReferralStatus
from goodword.rewards import coupons, entries
from goodword.rewards.models import Reward, RewardStatus
from goodword.services import Services


class RewardNotFound(NotFound):
    code, detail = "reward_not_found", "There is no such reward."


class RewardState(Conflict):
    code = "reward_state"
    detail = "The reward is in a state that does not allow this step. Read it again."


class AmountTooLarge(Unprocessable):
    code, field = "amount_too_large", "body.amount_minor"
    detail = "The reward has less left than this amount."


async def lock(session: AsyncSession, reward_id: uuid.UUID, *, within: uuid.UUID | None) -> Reward:
    """Return a reward, locked. `within` is the only program that the caller can reach. Raises `RewardNotFound`."""
    reward: Reward | None = await session.scalar(_LOCKED, {"reward_id": reward_id})
    if reward is None or within not in {None, reward.program_id}:
        raise RewardNotFound
    return reward


async def approve(session: AsyncSession, services: Services, reward: Reward, *, now: datetime) -> None:
    """Approve a pending reward, also before its hold ends. An approved one stays as it is.

    Raises `RewardState` for other states, and while the referral is not confirmed.
    """
    if reward.status == RewardStatus.APPROVED:
        return
    if reward.status != RewardStatus.PENDING or reward.available_at is None:
        raise RewardState
    # A concurrent rejection of the referral waits for the lock of the reward, and cancels it afterwards.
    status = await session.scalar(_REFERRAL_STATUS, {"referral_id": reward.referral_id})
    if status != ReferralStatus.CONFIRMED:
        raise RewardState
    await change(session, services, reward, RewardStatus.APPROVED, now=now)
    _audit(session, Action.REWARD_APPROVED, reward)


async def fulfill(
    session: AsyncSession,
    services: Services,
    reward: Reward,
    *,
    external_reference: str | None,
    now: datetime,
) -> None:
    """Record that an approved reward was paid or handed over.

    A fulfilled one with the same reference stays as it is. Raises `RewardState`.
    """
    if reward.status == RewardStatus.FULFILLED and reward.external_reference == external_reference:
        return
    if reward.status != RewardStatus.APPROVED:
        raise RewardState
    reward.external_reference = external_reference
    await change(session, services, reward, RewardStatus.FULFILLED, now=now)
    _audit(session, Action.REWARD_FULFILLED, reward)


async def cancel(
    session: AsyncSession, services: Services, reward: Reward, *, reason: str, now: datetime
) -> None:
    """Cancel a reward that is not fulfilled. A canceled one stays as it is. Raises `RewardState`."""
    if reward.status == RewardStatus.CANCELED:
        return
    if reward.status not in {RewardStatus.PENDING, RewardStatus.APPROVED}:
        raise RewardState
    await take_back(session, services, reward, reward.remaining_minor, reason=reason, now=now)
    _audit(session, Action.REWARD_CANCELED, reward)


async def reverse(
    session: AsyncSession,
    services: Services,
    reward: Reward,
    *,
    reason: str,
    now: datetime,
    amount_minor: int | None = None,
) -> None:
    """Take an approved or fulfilled reward back, all of it or an amount. A reversed one stays as it is.

    Raises `RewardState` and `AmountTooLarge`.
    """
    if reward.status == RewardStatus.REVERSED:
        return
    if reward.status not in {RewardStatus.APPROVED, RewardStatus.FULFILLED}:
        raise RewardState
    if amount_minor is not None and amount_minor > reward.remaining_minor:
        raise AmountTooLarge
    taken = reward.remaining_minor if amount_minor is None else amount_minor
    await take_back(session, services, reward, taken, reason=reason, now=now, ended=RewardStatus.REVERSED)
    _audit(session, Action.REWARD_REVERSED, reward)


async def end(
    session: AsyncSession, services: Services, reward: Reward, *, reason: str, now: datetime
) -> None:
    """Take back what is left of a reward: cancel it, or reverse it if it was fulfilled."""
    if not reward.is_final:
        await take_back(session, services, reward, reward.remaining_minor, reason=reason, now=now)


async def take_back(
    session: AsyncSession,
    services: Services,
    reward: Reward,
    amount_minor: int,
    *,
    reason: str,
    now: datetime,
    ended: RewardStatus | None = None,
) -> None:
    """Take an amount of a reward back. One of which nothing is left is canceled, or reversed if it was fulfilled.

    `ended` is its state then, if it is another.
    """
    reward.remaining_minor -= amount_minor
    status, is_pending = RewardStatus(reward.status), reward.status == RewardStatus.PENDING
    if reward.remaining_minor == 0:
        paid = status == RewardStatus.FULFILLED
        status = ended or (RewardStatus.REVERSED if paid else RewardStatus.CANCELED)
    await change(session, services, reward, status, taken=amount_minor, reason=reason, now=now)
    if is_pending and reward.is_final:
        await coupons.release(session, reward.id)


async def change(
    session: AsyncSession,
    services: Services,
    reward: Reward,
    status: RewardStatus,
    *,
    now: datetime,
    taken: int = 0,
    reason: str | None = None,
) -> None:
    """Give a locked reward a state that the caller has found to be legal, and publish that."""
    former, reward.status = reward.status, status
    await session.flush()
    entries.add(session, reward, former, -taken, now=now, reason=reason)
    kind = status if status != former else RewardStatus.REVERSED
    published = RewardChanged(reward.id, reward.program_id, kind, now, reward.user_id)
    await domain_events.publish(session, services, published)


def _audit(session: AsyncSession, action: Action, reward: Reward) -> None:
    audit.record(session, action, Subject.REWARD, reward.id, person=reward.user_id)


async def of_referral(session: AsyncSession, referral_id: uuid.UUID) -> list[Reward]:
    """Return the rewards of a referral, locked."""
    await insert_now(session)
    return list(await session.scalars(_OF_REFERRAL, {"referral_id": referral_id}))


async def of_event(session: AsyncSession, event_id: uuid.UUID) -> list[Reward]:
    """Return the rewards of an event, locked."""
    await insert_now(session)
    return list(await session.scalars(_OF_EVENT, {"event_id": event_id}))


async def of_user(session: AsyncSession, user_id: uuid.UUID) -> list[Reward]:
    """Return the rewards of a person that are not fulfilled and not taken back, locked."""
    await insert_now(session)
    return list(await session.scalars(_UNFULFILLED, {"user_id": user_id}))


def _locked(*conditions: Any) -> Any:
    query = select(Reward).where(*conditions).order_by(Reward.id).with_for_update()
    return query.execution_options(populate_existing=True)


_LOCKED = _locked(Reward.id == bindparam("reward_id"))
_OF_REFERRAL = _locked(Reward.referral_id == bindparam("referral_id"))
_OF_EVENT = _locked(Reward.event_id == bindparam("event_id"))
_UNFULFILLED = _locked(
    Reward.user_id == bindparam("user_id"),
    Reward.status.in_((RewardStatus.PENDING, RewardStatus.APPROVED)),
)
_REFERRAL_STATUS = select(Referral.status).where(Referral.id == bindparam("referral_id"))
