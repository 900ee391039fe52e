"""Reactions to what happens to people and referrals, in the same transaction."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.statements import with_defaults
from goodword.db.transaction_hooks import insert_before_commit, insert_now
from goodword.domain_events.events import ReferralChanged, ReferralMade, UsersMerged
from goodword.domain_events.service import Handler
from goodword.events import service as events
from goodword.events.models import OWN_PREFIX, REFERRAL_CONFIRMED, SIGN_UP, Event
from goodword.events.schemas import Outcome
from goodword.referrals.models import ReferralStatus
from goodword.rewards import counters, granting, standing, states
from goodword.rewards.models import Reward, RewardRule, RewardStatus
from goodword.rewards.standing import Standing
from goodword.services import Services

_EVENTS: Any = Event.__table__
REJECTED = "referral_rejected"


async def on_referral_made(session: AsyncSession, services: Services, made: ReferralMade) -> None:
    """Record that a person signed up and, if so, that the referral is confirmed."""
    found = standing.of_new(made)
    await _record(session, services, SIGN_UP, found, made, occurred_at=made.signed_up_at)
    if made.status == ReferralStatus.CONFIRMED:
        await _record(session, services, REFERRAL_CONFIRMED, found, made, occurred_at=made.at)


async def on_referral_changed(session: AsyncSession, services: Services, changed: ReferralChanged) -> None:
    """Release the rewards of a referral that is confirmed, and take back those of one that is rejected."""
    if changed.status in {ReferralStatus.REJECTED, ReferralStatus.REVERSED}:
        for reward in await states.of_referral(session, changed.referral_id):
            await states.end(session, services, reward, reason=REJECTED, now=changed.at)
    if changed.status != ReferralStatus.CONFIRMED:
        return
    found = await standing.lock(session, changed.referee_id, changed.program_id)
    if found is not None and changed.confirmed_at is not None:
        await _release(session, services, changed)
        source_id = own_id(REFERRAL_CONFIRMED, changed.referral_id)
        if await events.find(session, changed.program_id, source_id) is None:  # a referral is confirmed once
            await _record(
                session, services, REFERRAL_CONFIRMED, found, changed, occurred_at=changed.confirmed_at
            )


async def on_users_merged(session: AsyncSession, _services: Services, merged: UsersMerged) -> None:
    """Give the account the events and rewards of the participant."""
    await insert_now(session)
    for statement in (_MOVE_EVENTS, _MOVE_OWN_REWARDS, _MOVE_REWARDS):
        await session.execute(statement, {"former": merged.former_id, "account": merged.user_id})


def own_id(event_type: str, referral_id: uuid.UUID) -> str:
    """Return the id of an event that Goodword makes about a referral."""
    return f"{OWN_PREFIX}{event_type}:{referral_id}"


async def _record(
    session: AsyncSession,
    services: Services,
    event_type: str,
    found: Standing,
    cause: ReferralMade | ReferralChanged,
    *,
    occurred_at: datetime,
) -> None:
    """Record an event of Goodword's own, with what it earns. It is inserted just before the commit."""
    values: dict[str, Any] = {
        "program_id": cause.program_id,
        "type": event_type,
        "participant_id": found.referee_id,
        "source_id": own_id(event_type, found.referral_id),
        "occurred_at": occurred_at,
        "created_at": cause.at,
    }
    row = with_defaults(Event, values)
    event = Event(**row)
    counters.count_event(session, services, event)
    rules = await services.reward_rules.triggered_by(cause.program_id, event_type)
    if not rules:
        insert_before_commit(session, _EVENTS, row)
        return
    program = await services.programs.get(cause.program_id)
    decision = await granting.decide(session, rules, event, program, found, is_refunded=False, now=cause.at)
    if decision.refusals:
        row["outcome"] = Outcome(not_rewarded=decision.refusals).model_dump_json()
    insert_before_commit(session, _EVENTS, row)
    await granting.grant(session, services, decision.grants, event, program, found, now=cause.at)


async def _release(session: AsyncSession, services: Services, changed: ReferralChanged) -> None:
    """Begin the holds of the rewards of a referral, as of the time at which the rewards were made."""
    waiting = [
        reward
        for reward in await states.of_referral(session, changed.referral_id)
        if reward.status == RewardStatus.PENDING and reward.available_at is None
    ]
    versions = {reward.rule_version_id for reward in waiting}
    holds = {rule.id: rule.hold_seconds for rule in await _rules(session, list(versions))}
    for reward in waiting:
        reward.available_at = reward.created_at + timedelta(seconds=holds[reward.rule_version_id])
        if reward.is_automatic and reward.available_at <= changed.at:
            await states.change(session, services, reward, RewardStatus.APPROVED, now=changed.at)


async def _rules(session: AsyncSession, ids: Sequence[Any]) -> Sequence[RewardRule]:
    return (await session.scalars(_VERSIONS, {"ids": ids})).all() if ids else ()


HANDLERS: Mapping[type, Handler] = {
    ReferralMade: on_referral_made,
    ReferralChanged: on_referral_changed,
    UsersMerged: on_users_merged,
}


def _move(column: Any) -> Any:
    statement = update(column.class_).where(column == bindparam("former"))
    moved = statement.values({column.key: bindparam("account")})
    return moved.execution_options(synchronize_session=False)


_MOVE_EVENTS = _move(Event.participant_id)
_MOVE_OWN_REWARDS = _move(Reward.user_id)
_MOVE_REWARDS = _move(Reward.referrer_id)
_VERSIONS = select(RewardRule).where(RewardRule.id.in_(bindparam("ids", expanding=True)))
