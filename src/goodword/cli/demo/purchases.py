"""What the customers of the invented shop buy, and what that earns."""

import uuid
from datetime import datetime

from goodword.actor import Actor
from goodword.cli.demo.rows import DAY, Row, Rows
from goodword.events.models import OWN_PREFIX, REFERRAL_CONFIRMED, SIGN_UP, Event
from goodword.programs.models import DEFAULT_PROGRAM_ID
from goodword.referrals.models import Referral, ReferralStatus
from goodword.rewards import calculation
from goodword.rewards.models import Reward, RewardEntry, RewardRule, RewardStatus

HOLD = 14 * DAY
PAID = frozenset({RewardStatus.FULFILLED, RewardStatus.REVERSED})
"""A reversed reward was paid before."""


def add_rules(rows: Rows, program: Row, at: datetime) -> dict[str, Row]:
    """Add the rules of the shop: a share of each friend's first order, and points for the friend who signed up."""
    share = _rule(rows, program, at, "purchase", "referrer", "credit", "10 % of the first order")
    share |= {"basis_points": 1000, "max_events": 1, "hold_seconds": int(HOLD.total_seconds())}
    points = _rule(rows, program, at, SIGN_UP, "referee", "points", "100 points for new customers")
    points["amount_minor"] = 100
    return {"purchase": share, SIGN_UP: points}


def _rule(
    rows: Rows, program: Row, at: datetime, trigger: str, beneficiary: str, kind: str, description: str
) -> Row:
    return rows.add(
        RewardRule,
        at,
        program_id=program["id"],
        rule_id=uuid.UUID(int=rows.random.getrandbits(128), version=4),
        version=1,
        trigger=trigger,
        beneficiary=beneficiary,
        kind=kind,
        description=description,
        hold_seconds=0,
        approval="auto",
    )


def add_purchases(rows: Rows, program: Row, rules: dict[str, Row]) -> None:
    """Add the sign-ups and the orders of referred customers, with their rewards."""
    number = 0
    for referral in [one for one in rows.by_model[Referral] if one["program_id"] == program["id"]]:
        joined = referral["created_at"]
        source_id = f"{OWN_PREFIX}{SIGN_UP}:{referral['id']}"
        event = _event(rows, program, referral, SIGN_UP, source_id, joined)
        _reward(rows, program, referral, event, rules[SIGN_UP], RewardStatus.APPROVED)
        for order in range(rows.random.randrange(3)):
            number += 1
            at = rows.since(joined)
            event = _event(rows, program, referral, "purchase", f"order-{5000 + number}", at)
            event |= {
                "amount_minor": rows.random.randrange(990, 19_990, 100),
                "currency": program["currency"],
            }
            if order == 0:
                _reward(rows, program, referral, event, rules["purchase"], _status(rows, at))


def add_confirmations(rows: Rows, at: datetime) -> None:
    """Add the rule of the default program, and what its confirmed referrals have earned."""
    program: Row = {"id": DEFAULT_PROGRAM_ID, "currency": "USD", "time_zone": "UTC"}
    rule = _rule(rows, program, at, REFERRAL_CONFIRMED, "referrer", "credit", "5 dollars for each friend")
    rule |= {"amount_minor": 500, "hold_seconds": int(HOLD.total_seconds())}
    for referral in [one for one in rows.by_model[Referral] if one["program_id"] == program["id"]]:
        if referral["status"] == ReferralStatus.CONFIRMED:
            source_id = f"{OWN_PREFIX}{REFERRAL_CONFIRMED}:{referral['id']}"
            confirmed_at = referral["confirmed_at"]
            event = _event(rows, program, referral, REFERRAL_CONFIRMED, source_id, confirmed_at)
            _reward(rows, program, referral, event, rule, _status(rows, confirmed_at))


def _status(rows: Rows, at: datetime) -> RewardStatus:
    if at + HOLD > rows.now:
        return RewardStatus.CANCELED if rows.chance(0.1) else RewardStatus.PENDING
    ended = (RewardStatus.APPROVED, RewardStatus.FULFILLED, RewardStatus.REVERSED)
    return rows.random.choices(ended, (3, 5, 1))[0]


def _event(rows: Rows, program: Row, referral: Row, event_type: str, source_id: str, at: datetime) -> Row:
    return rows.add(
        Event,
        at,
        program_id=program["id"],
        type=event_type,
        participant_id=referral["referee_id"],
        source_id=source_id,
        occurred_at=at,
    )


def _reward(rows: Rows, program: Row, referral: Row, event: Row, rule: Row, status: RewardStatus) -> None:
    """Add a reward, with an entry for each state that it had."""
    at, is_left = event["created_at"], status not in {RewardStatus.CANCELED, RewardStatus.REVERSED}
    amount = rule["amount_minor"] or calculation.share(event["amount_minor"], rule["basis_points"])
    person = referral["referrer_id"] if rule["beneficiary"] == "referrer" else referral["referee_id"]
    is_paid = status in PAID
    reward = rows.add(
        Reward,
        at,
        program_id=program["id"],
        rule_id=rule["rule_id"],
        rule_version_id=rule["id"],
        event_id=event["id"],
        referral_id=referral["id"],
        referrer_id=referral["referrer_id"],
        user_id=person,
        beneficiary=rule["beneficiary"],
        kind=rule["kind"],
        amount_minor=amount,
        remaining_minor=amount if is_left else 0,
        currency=None if rule["kind"] == "points" else program["currency"],
        status=status,
        available_at=at if rule["hold_seconds"] == 0 else at + HOLD,
        is_automatic=True,
        month=calculation.month_of(at, program["time_zone"]),
        external_reference=f"payout-{rows.random.randrange(1000, 9999)}" if is_paid else None,
    )
    _add_entries(rows, reward, amount)


def _add_entries(rows: Rows, reward: Row, amount: int) -> None:
    status, at = reward["status"], reward["created_at"]
    available, path = reward["available_at"], [RewardStatus.PENDING]
    if status == RewardStatus.CANCELED:
        path.append(status)
    elif available == at:
        path = [RewardStatus.APPROVED]
    elif status != RewardStatus.PENDING:
        path.append(RewardStatus.APPROVED)
        if status != RewardStatus.APPROVED:
            path.append(RewardStatus.FULFILLED)
        if status == RewardStatus.REVERSED:
            path.append(status)
    former, moment = None, at
    for step, state in enumerate(path):
        if step:
            moment = max(available, moment) if state == RewardStatus.APPROVED else rows.after(moment, 5 * DAY)
        is_end = state in {RewardStatus.CANCELED, RewardStatus.REVERSED}
        rows.add(
            RewardEntry,
            moment,
            reward_id=reward["id"],
            from_status=former,
            to_status=state,
            amount_minor=-amount if is_end else amount if step == 0 else 0,
            reason="refund" if is_end else None,
            actor=Actor.SERVER,
        )
        former = state
