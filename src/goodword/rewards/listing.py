"""Lists of rewards and events, and what an answer shows of them."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.keyset import Position, keyset_page
from goodword.db.statements import one_of
from goodword.events.models import Event
from goodword.events.schemas import EventParticipant, MoneyRead, Outcome
from goodword.programs.models import Program
from goodword.rewards.models import Coupon, Reward, RewardEntry, RewardRule, RewardStatus
from goodword.rewards.recording import Recorded
from goodword.rewards.schemas import Balance, EventRead, RewardRead
from goodword.users.models import User

COUPON_SHOWN = frozenset({RewardStatus.APPROVED, RewardStatus.FULFILLED})
"""The states in which the beneficiary sees the coupon."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which rewards: all by default."""

    status: RewardStatus | None = None
    beneficiary: str | None = None
    program_id: uuid.UUID | None = None
    user_id: uuid.UUID | None = None
    referral_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class EventFilters:
    """Which events: all by default."""

    program_id: uuid.UUID | None = None
    user_id: uuid.UUID | None = None
    type: str | None = None
    source_id: str | None = None


async def list_rewards(
    session: AsyncSession, filters: Filters, *, after: Position | None, limit: int
) -> Sequence[Row[Any]]:
    """Return rewards with what `read` shows, newest first, and one more than `limit` if there are more."""
    query = SHOWN
    for name in ("status", "beneficiary", "program_id", "user_id", "referral_id"):
        if (value := getattr(filters, name)) is not None:
            query = query.where(getattr(Reward, name) == value)
    page = keyset_page(query, (Reward.created_at, Reward.id), after=after, limit=limit)
    return (await session.execute(page)).all()


async def get(session: AsyncSession, reward_id: uuid.UUID) -> Row[Any] | None:
    """Return a reward with what `read` shows, or None."""
    return (await session.execute(_ONE, {"reward_id": reward_id})).one_or_none()


def read(row: Row[Any], *, coupon_shown: bool = True) -> RewardRead:
    """Return a row of `SHOWN` as the API shows it."""
    return reward_read(
        row.Reward,
        external_id=row.external_id,
        program=row.program,
        source_id=row.source_id,
        description=row.description,
        version=row.version,
        coupon=row.coupon if coupon_shown else None,
    )


def read_for_beneficiary(row: Row[Any]) -> RewardRead:
    """Return a reward as its beneficiary sees it: with the coupon once it is approved."""
    return read(row, coupon_shown=row.Reward.status in COUPON_SHOWN)


def reward_read(
    reward: Reward,
    *,
    external_id: str | None,
    program: str,
    source_id: str,
    description: str | None,
    version: int,
    coupon: str | None,
) -> RewardRead:
    """Return a reward as the API shows it."""
    names = (
        "id status kind amount_minor remaining_minor currency beneficiary referral_id rule_id available_at "
        "external_reference created_at"
    )
    return RewardRead.model_validate(
        {name: getattr(reward, name) for name in names.split()}
        | {
            "description": description,
            "participant": EventParticipant(id=reward.user_id, external_id=external_id),
            "program": program,
            "event_id": source_id,
            "rule_version": version,
            "coupon": coupon,
        }
    )


async def read_recorded(session: AsyncSession, recorded: Recorded) -> EventRead:
    """Return an event that was just recorded, with its rewards."""
    event, program = recorded.event, recorded.program
    if recorded.is_complete:
        rewards = [
            reward_read(
                made.reward,
                external_id=made.external_id,
                program=program.slug,
                source_id=event.source_id,
                description=made.rule.description,
                version=made.rule.version,
                coupon=made.coupon,
            )
            for made in recorded.made
        ]
    else:
        rewards = (await rewards_of(session, [event.id])).get(event.id, [])
    return event_read(
        event,
        external_id=recorded.external_id,
        program=program.slug,
        outcome=recorded.outcome,
        rewards=rewards,
    )


def event_read(
    event: Event, *, external_id: str | None, program: str, outcome: Outcome, rewards: list[RewardRead]
) -> EventRead:
    """Return an event as the API shows it."""
    amount = None
    if event.amount_minor is not None and event.currency is not None:
        amount = MoneyRead(minor=event.amount_minor, currency=event.currency)
    return EventRead(
        id=event.source_id,
        type=event.type,
        participant=EventParticipant(id=event.participant_id, external_id=external_id),
        program=program,
        occurred_at=event.occurred_at,
        received_at=event.created_at,
        amount=amount,
        refunds=event.refunds,
        metadata=json.loads(event.details) if event.details else {},
        rewards=rewards,
        not_rewarded=outcome.not_rewarded,
        warnings=outcome.warnings,
    )


async def list_events(
    session: AsyncSession, filters: EventFilters, *, after: Position | None = None, limit: int
) -> Sequence[Row[Any]]:
    """Return events, latest received first, and one more than `limit` if there are more."""
    query = _EVENTS
    for column, value in (
        (Event.program_id, filters.program_id),
        (Event.participant_id, filters.user_id),
        (Event.type, filters.type),
        (Event.source_id, filters.source_id),
    ):
        if value is not None:
            query = query.where(column == value)
    page = keyset_page(query, (Event.created_at, Event.id), after=after, limit=limit)
    return (await session.execute(page)).all()


async def read_events(session: AsyncSession, rows: Sequence[Row[Any]]) -> list[EventRead]:
    """Return events of `list_events` with their rewards."""
    rewards = await rewards_of(session, [row.Event.id for row in rows])
    return [
        event_read(
            row.Event,
            external_id=row.external_id,
            program=row.program,
            outcome=Outcome.model_validate_json(row.Event.outcome) if row.Event.outcome else Outcome(),
            rewards=rewards.get(row.Event.id, []),
        )
        for row in rows
    ]


async def rewards_of(
    session: AsyncSession, event_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, list[RewardRead]]:
    """Return the rewards of events, by event."""
    found: dict[uuid.UUID, list[RewardRead]] = {}
    if event_ids:
        query = SHOWN.where(one_of(session, Reward.event_id, event_ids)).order_by(Reward.id)
        for row in await session.execute(query):
            found.setdefault(row.Reward.event_id, []).append(read(row))
    return found


async def entries_of(session: AsyncSession, reward_id: uuid.UUID) -> Sequence[RewardEntry]:
    """Return the history of a reward, oldest first."""
    return (await session.scalars(_ENTRIES, {"reward_id": reward_id})).all()


async def balances(session: AsyncSession, user_id: uuid.UUID) -> list[Balance]:
    """Return what a person earned, by kind and currency."""
    found: dict[tuple[str, str | None], dict[str, int]] = {}
    for row in await session.execute(_BALANCES, {"user_id": user_id}):
        found.setdefault((row.kind, row.currency), {})[f"{row.status}_minor"] = int(row.amount_minor)
    nothing = {"pending_minor": 0, "approved_minor": 0, "fulfilled_minor": 0}
    return [
        Balance.model_validate({"kind": kind, "currency": currency} | nothing | sums)
        for (kind, currency), sums in found.items()
    ]


SHOWN: Any = (
    select(
        Reward,
        Reward.created_at,
        Reward.id,
        User.external_id,
        Program.slug.label("program"),
        Event.source_id,
        RewardRule.description,
        RewardRule.version,
        Coupon.code.label("coupon"),
    )
    .join(User, User.id == Reward.user_id)
    .join(Program, Program.id == Reward.program_id)
    .join(Event, Event.id == Reward.event_id)
    .join(RewardRule, RewardRule.id == Reward.rule_version_id)
    .outerjoin(Coupon, Coupon.reward_id == Reward.id)
    .execution_options(populate_existing=True)
)
"""Rewards with what the API shows of them: see `read`."""
_ONE = SHOWN.where(Reward.id == bindparam("reward_id"))
_ENTRIES = (
    select(RewardEntry)
    .where(RewardEntry.reward_id == bindparam("reward_id"))
    .order_by(RewardEntry.created_at, RewardEntry.id)
)
_EVENTS: Any = (
    select(Event, Event.created_at, Event.id, User.external_id, Program.slug.label("program"))
    .join(User, User.id == Event.participant_id)
    .join(Program, Program.id == Event.program_id)
)
_BALANCES = (
    select(
        Reward.kind,
        Reward.currency,
        Reward.status,
        func.sum(Reward.remaining_minor).label("amount_minor"),
    )
    .where(Reward.user_id == bindparam("user_id"), Reward.remaining_minor > 0)
    .group_by(Reward.kind, Reward.currency, Reward.status)
    .order_by(Reward.kind, Reward.currency, Reward.status)
)
