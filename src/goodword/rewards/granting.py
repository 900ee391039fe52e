"""What an event earns: decides by the active rules, and adds the rewards."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.statements import with_defaults
from goodword.db.transaction_hooks import insert_before_commit, insert_now
from goodword.domain_events import service as domain_events
from goodword.domain_events.events import RewardChanged
from goodword.events.models import OWN_TYPES, Event
from goodword.events.schemas import NotRewarded, NotRewardedReason
from goodword.programs.models import Program
from goodword.referrals.models import Referral, ReferralStatus
from goodword.rewards import calculation, coupons, entries
from goodword.rewards.models import (
    Approval,
    CapPeriod,
    Coupon,
    Reward,
    RewardKind,
    RewardRule,
    RewardStatus,
)
from goodword.rewards.standing import Standing
from goodword.services import Services

_REWARDS: Any = Reward.__table__
TAKEN_BACK = (RewardStatus.CANCELED, RewardStatus.REVERSED)


class Grant(NamedTuple):
    """A reward that an event earns."""

    rule: RewardRule
    amount_minor: int
    coupon: Coupon | None = None


class Decision(NamedTuple):
    grants: list[Grant]
    refusals: list[NotRewarded]


async def decide(
    session: AsyncSession,
    rules: Sequence[RewardRule],
    event: Event,
    program: Program,
    standing: Standing | None,
    *,
    is_refunded: bool,
    now: datetime,
    is_dry: bool = False,
) -> Decision:
    """Decide what an event earns by each rule that it triggers. Nothing is written. A dry run locks no coupon.

    The caller holds the lock of the referrer, so that caps, tiers and numbers of events hold. `event` is not stored
    yet.
    """
    decision = Decision([], [])
    for rule in rules:
        found: Grant | NotRewardedReason | None = _refusal(rule, event, program, standing, now=now)
        if found is None:
            assert standing is not None, "without a referral there is a reason"
            found = await _earned(
                session, rule, event, program, standing, is_refunded=is_refunded, is_dry=is_dry
            )
        if isinstance(found, Grant):
            decision.grants.append(found)
        else:
            decision.refusals.append(NotRewarded(rule_id=rule.rule_id, reason=found))
    return decision


def _refusal(
    rule: RewardRule, event: Event, program: Program, standing: Standing | None, *, now: datetime
) -> NotRewardedReason | None:
    """Return why an event earns nothing by a rule, as far as no query is needed. The first reason that holds."""
    if not program.is_running(now):
        return NotRewardedReason.PROGRAM_NOT_ACTIVE
    if standing is None:
        return NotRewardedReason.NOT_REFERRED
    at, signed_up_at = event.occurred_at, standing.signed_up_at
    within = timedelta(seconds=rule.within_seconds) if rule.within_seconds is not None else None
    lacks_amount = calculation.needs_amount(rule) and event.amount_minor is None
    checks: Sequence[tuple[NotRewardedReason, bool]] = (
        (
            NotRewardedReason.REFERRAL_REJECTED,
            standing.status in {ReferralStatus.REJECTED, ReferralStatus.REVERSED},
        ),
        (NotRewardedReason.BENEFICIARY_NOT_ACTIVE, not standing.is_active(rule.beneficiary)),
        (NotRewardedReason.REGISTERED_BEFORE, standing.registered_before and event.type in OWN_TYPES),
        (NotRewardedReason.OUTSIDE_PERIOD, rule.starts_at is not None and at < rule.starts_at),
        (NotRewardedReason.OUTSIDE_PERIOD, rule.ends_at is not None and at >= rule.ends_at),
        (NotRewardedReason.BEFORE_SIGN_UP, at < signed_up_at),
        (NotRewardedReason.TOO_LATE, within is not None and at - signed_up_at > within),
        (NotRewardedReason.AMOUNT_MISSING, lacks_amount),
        (NotRewardedReason.CURRENCY_MISMATCH, event.currency not in {None, program.currency}),
        (NotRewardedReason.BELOW_MINIMUM, (event.amount_minor or 0) < (rule.min_amount_minor or 0)),
    )
    return next((reason for reason, holds in checks if holds), None)


async def _earned(
    session: AsyncSession,
    rule: RewardRule,
    event: Event,
    program: Program,
    standing: Standing,
    *,
    is_refunded: bool,
    is_dry: bool,
) -> Grant | NotRewardedReason:
    """Return what an event earns by a rule, or why it earns nothing."""
    if rule.max_events is not None:
        values = {"participant_id": event.participant_id, "program_id": program.id, "type": event.type}
        if await _count(session, _EVENTS, values, most=rule.max_events) >= rule.max_events:
            return NotRewardedReason.MAX_EVENTS_REACHED
    if is_refunded:
        return NotRewardedReason.REFUNDED
    referrals, most = 0, calculation.most_referrals(rule)
    if most:
        values = {"referrer_id": standing.referrer_id, "program_id": program.id}
        referrals = await _count(session, _CONFIRMED, values, most=most)
    amount = calculation.amount_of(rule, event.amount_minor, referrals=referrals)
    if amount is None:
        return NotRewardedReason.NO_TIER
    if amount == 0:
        return NotRewardedReason.AMOUNT_ZERO
    if await _is_capped(session, rule, event, program, standing):
        return NotRewardedReason.CAP_REACHED
    if rule.kind != RewardKind.COUPON:
        return Grant(rule, amount)
    coupon = await coupons.pick(session, rule.rule_id, locked=not is_dry)
    return Grant(rule, amount, coupon) if coupon else NotRewardedReason.COUPONS_USED_UP


async def _is_capped(
    session: AsyncSession, rule: RewardRule, event: Event, program: Program, standing: Standing
) -> bool:
    if rule.cap_count is None:
        return False
    values: dict[str, Any] = {"referrer_id": standing.referrer_id, "rule_id": rule.rule_id}
    statement = _REWARDED
    if rule.cap_per == CapPeriod.MONTH:
        statement = _REWARDED_IN_MONTH
        values["month"] = calculation.month_of(event.occurred_at, program.time_zone)
    return await _count(session, statement, values, most=rule.cap_count) >= rule.cap_count


async def _count(session: AsyncSession, statement: Any, values: dict[str, Any], *, most: int) -> int:
    """Return the number of rows, at most `most`. Rows of this transaction count."""
    await insert_now(session)
    return await session.scalar(statement, values | {"most": most}) or 0


async def grant(
    session: AsyncSession,
    services: Services,
    grants: Sequence[Grant],
    event: Event,
    program: Program,
    standing: Standing,
    *,
    now: datetime,
) -> list[Reward]:
    """Add the rewards of an event just before the commit, or earlier if there is a coupon.

    Return the rewards as they will be. They belong to no session.
    """
    made = []
    for rule, amount_minor, coupon in grants:
        row = with_defaults(Reward, values_of(rule, amount_minor, event, program, standing, now=now))
        reward = Reward(**row)
        insert_before_commit(session, _REWARDS, row)
        entries.add(session, reward, None, amount_minor, now=now)
        if coupon is not None:
            await coupons.give(session, coupon, reward.id)
        made.append(reward)
        for change in ("created", *(["approved"] if reward.status == RewardStatus.APPROVED else [])):
            published = RewardChanged(reward.id, program.id, change, now, reward.user_id)
            await domain_events.publish(session, services, published)
    return made


def values_of(
    rule: RewardRule, amount_minor: int, event: Event, program: Program, standing: Standing, *, now: datetime
) -> dict[str, Any]:
    """Return the columns of a reward. Without a hold it is approved at once, if its rule and the referral allow it."""
    is_confirmed = standing.status == ReferralStatus.CONFIRMED
    is_automatic = rule.approval == Approval.AUTO
    is_approved = is_automatic and is_confirmed and rule.hold_seconds == 0
    return {
        "program_id": program.id,
        "rule_id": rule.rule_id,
        "rule_version_id": rule.id,
        "event_id": event.id,
        "referral_id": standing.referral_id,
        "referrer_id": standing.referrer_id,
        "user_id": standing.user_id(rule.beneficiary),
        "beneficiary": rule.beneficiary,
        "kind": rule.kind,
        "amount_minor": amount_minor,
        "remaining_minor": amount_minor,
        "currency": None if rule.kind == RewardKind.POINTS else program.currency,
        "status": RewardStatus.APPROVED if is_approved else RewardStatus.PENDING,
        "available_at": now + timedelta(seconds=rule.hold_seconds) if is_confirmed else None,
        "is_automatic": is_automatic,
        "month": calculation.month_of(event.occurred_at, program.time_zone),
        "created_at": now,
    }


def _counted(rows: Any) -> Any:
    return select(func.count()).select_from(rows.limit(bindparam("most")).subquery())


_EVENTS = _counted(
    select(Event.id).where(
        Event.participant_id == bindparam("participant_id"),
        Event.program_id == bindparam("program_id"),
        Event.type == bindparam("type"),
        Event.refunds.is_(None),
    )
)
_CONFIRMED = _counted(
    select(Referral.id).where(
        Referral.referrer_id == bindparam("referrer_id"),
        Referral.program_id == bindparam("program_id"),
        Referral.status == ReferralStatus.CONFIRMED,
    )
)
_OWN = (
    Reward.referrer_id == bindparam("referrer_id"),
    Reward.rule_id == bindparam("rule_id"),
    Reward.status.not_in(TAKEN_BACK),
)
_REWARDED = _counted(select(Reward.id).where(*_OWN))
_REWARDED_IN_MONTH = _counted(select(Reward.id).where(*_OWN, Reward.month == bindparam("month")))
