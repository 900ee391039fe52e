"""Record an event that a server reports, with the rewards that it makes or takes back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.statements import insert_if_absent, with_defaults
from goodword.errors import Conflict, Unprocessable
from goodword.events import service as events
from goodword.events.models import Event
from goodword.events.schemas import EventCreate, EventWarning, Outcome, ParticipantRef
from goodword.participants.access import ParticipantNotFound, Scope
from goodword.programs.models import Program
from goodword.rewards import counters, granting, refunds, standing
from goodword.rewards.granting import Decision
from goodword.rewards.models import Reward, RewardRule
from goodword.rewards.standing import Standing
from goodword.services import Services
from goodword.users.models import User, UserStatus

LEEWAY = timedelta(seconds=60)
"""How far the clock of a product may be ahead."""
OLDEST = timedelta(days=400)


class EventIdReused(Conflict):
    code = "event_id_reused"
    detail = "Another event with this id was recorded in the program. Use a new id."


class EventInFuture(Unprocessable):
    code, field = "time_in_future", "body.occurred_at"
    detail = "The event cannot be in the future."


class EventTooOld(Unprocessable):
    code, field = "time_too_old", "body.occurred_at"
    detail = "The event can be at most 400 days old."


@dataclass(slots=True)
class Made:
    """A reward that an event has just made, with what an answer shows of it."""

    reward: Reward
    rule: RewardRule
    external_id: str | None
    coupon: str | None


@dataclass(slots=True)
class Recorded:
    """An event that was recorded now, or before."""

    event: Event
    program: Program
    external_id: str | None
    is_new: bool
    outcome: Outcome = field(default_factory=Outcome)
    made: list[Made] = field(default_factory=list)
    """The rewards of a new event, unless refunds that came before it have changed them."""
    is_complete: bool = True
    """Whether `made` has all rewards as they are."""


@dataclass(slots=True)
class _Examined:
    """An event before it is stored, and what it earns or refunds."""

    event: Event
    row: dict[str, Any]
    user: User
    standing: Standing | None
    decision: Decision
    refunded: refunds.Refunded
    """The refunds that came before the event."""
    refund: refunds.Refund | None
    warnings: list[EventWarning]

    @property
    def outcome(self) -> Outcome:
        return Outcome(not_rewarded=self.decision.refusals, warnings=self.warnings)


async def record(
    session: AsyncSession, services: Services, body: EventCreate, scope: Scope, *, now: datetime
) -> Recorded:
    """Record an event once. The same event again changes nothing.

    Raises `ParticipantNotFound`, `EventIdReused`, `EventInFuture` and `EventTooOld`.
    """
    found = await _examine(session, services, body, scope, now=now)
    program, external_id = scope.program, found.user.external_id
    outcome = found.outcome
    if outcome.not_rewarded or outcome.warnings:
        found.row["outcome"] = outcome.model_dump_json()
    event = await insert_if_absent(session, Event, **found.row)
    if event is None:
        # Recorded before, or by a concurrent call that has just ended.
        same = await _same(session, found.event)
        kept = Outcome.model_validate_json(same.outcome) if same.outcome else Outcome()
        return Recorded(same, program, external_id, is_new=False, outcome=kept, is_complete=False)
    counters.count_event(session, services, event)
    recorded = Recorded(event, program, external_id, is_new=True, outcome=outcome)
    if found.refund is not None:
        await refunds.apply(session, services, found.refund, now=now)
    grants = found.decision.grants
    if found.standing is None or not grants:
        return recorded
    rewards = await granting.grant(session, services, grants, event, program, found.standing, now=now)
    for reward, (rule, _, coupon) in zip(rewards, grants, strict=True):
        name = found.standing.external_id(rule.beneficiary)
        recorded.made.append(Made(reward, rule, name, coupon.code if coupon else None))
    if found.refunded.is_any:
        recorded.is_complete = False
        await refunds.apply(session, services, refunds.Refund(event), now=now)
    return recorded


async def examine(
    session: AsyncSession, services: Services, body: EventCreate, scope: Scope, *, now: datetime
) -> tuple[list[dict[str, Any]], list[RewardRule], Outcome]:
    """Return the rewards that an event would make, with their rules, and the outcome. Nothing is written.

    Raises what `record` raises.
    """
    found = await _examine(session, services, body, scope, now=now, is_dry=True)
    if await events.find(session, scope.program.id, body.id) is not None:
        raise EventIdReused
    grants = found.decision.grants
    values = [
        granting.values_of(rule, amount, found.event, scope.program, found.standing, now=now)
        for rule, amount, _ in grants
        if found.standing is not None
    ]
    return values, [rule for rule, _, _ in grants], found.outcome


async def _examine(
    session: AsyncSession,
    services: Services,
    body: EventCreate,
    scope: Scope,
    *,
    now: datetime,
    is_dry: bool = False,
) -> _Examined:
    if body.occurred_at > now + LEEWAY:
        raise EventInFuture
    if body.occurred_at < now - OLDEST:
        raise EventTooOld
    user, program = await _find_participant(session, body, scope), scope.program
    row = with_defaults(Event, _values(body, user, program, now))
    event = Event(**row)
    rules: Sequence[RewardRule] = ()
    if body.refunds is None:
        rules = await services.reward_rules.triggered_by(program.id, body.type)
    found, refunded = None, refunds.NOT_REFUNDED
    if rules or body.refunds is not None:
        found = await standing.lock(session, user.id, program.id)
    if rules and found is not None:
        refunded = await refunds.refunded(session, event)
    decision = await granting.decide(
        session, rules, event, program, found, is_refunded=refunded.in_full, now=now, is_dry=is_dry
    )
    refund, warnings = None, list[EventWarning]()
    if (
        body.refunds is not None
        and (target := await events.find(session, program.id, body.refunds)) is not None
    ):
        refund = refunds.Refund(target, await refunds.refunded(session, target))
        warnings = refunds.warnings_of(event, refund)
    return _Examined(event, row, user, found, decision, refunded, refund, warnings)


async def _find_participant(session: AsyncSession, body: EventCreate, scope: Scope) -> User:
    """Return the participant of an event, whom no concurrent transaction merges or erases until this one ends.

    A refund of what an erased person bought belongs to that person, whatever it names: the erasure removed the names.
    """
    user = await _find_named(session, body.participant, scope)
    if body.refunds is not None:
        user = await _find_erased(session, scope.program, body.refunds, user) or user
    if user is None:
        raise ParticipantNotFound
    return user


async def _find_named(session: AsyncSession, given: ParticipantRef, scope: Scope) -> User | None:
    query, values = (
        (_BY_ID, {"user_id": given.id})
        if given.external_id is None
        else (_BY_EXTERNAL_ID, {"external_id": given.external_id})
    )
    user: User | None = await session.scalar(query, values)
    if user is None:  # maybe a merge that has just ended gave the external id to another row
        user = await session.scalar(query, values)
    if user is None or user.status == UserStatus.ERASED or scope.limit not in {None, user.program_id}:
        return None
    return user


async def _find_erased(
    session: AsyncSession, program: Program, source_id: str, named: User | None
) -> User | None:
    """Return the participant of a refunded event, if it is not the named one and erased."""
    event = await events.find(session, program.id, source_id)
    if event is None or (named is not None and named.id == event.participant_id):
        return None
    owner: User | None = await session.scalar(_BY_ID, {"user_id": event.participant_id})
    if owner is None or owner.status != UserStatus.ERASED:
        return None
    await session.refresh(event, ["participant_id"])  # a concurrent merge may have moved it
    return owner if event.participant_id == owner.id else None


def _values(body: EventCreate, user: User, program: Program, now: datetime) -> dict[str, Any]:
    amount = body.amount
    metadata = {} if user.status == UserStatus.ERASED else body.metadata
    return {
        "program_id": program.id,
        "type": body.type,
        "participant_id": user.id,
        "source_id": body.id,
        "occurred_at": body.occurred_at,
        "amount_minor": amount.minor if amount else None,
        "currency": amount.currency if amount else None,
        "refunds": body.refunds,
        "details": json.dumps(metadata, ensure_ascii=False, sort_keys=True) if metadata else None,
        "created_at": now,
    }


async def _same(session: AsyncSession, event: Event) -> Event:
    """Return the event that was recorded with the same id. Raises `EventIdReused` if it is another one."""
    known = await events.find(session, event.program_id, event.source_id)
    if known is None:  # the transaction that had inserted it was rolled back
        raise Conflict
    if any(getattr(known, name) != getattr(event, name) for name in _COMPARED):
        raise EventIdReused
    return known


_COMPARED = ("type", "participant_id", "occurred_at", "amount_minor", "currency", "refunds", "details")
_PERSON: Any = select(User).with_for_update(read=True).execution_options(populate_existing=True)
_BY_ID = _PERSON.where(User.id == bindparam("user_id"))
_BY_EXTERNAL_ID = _PERSON.where(User.external_id == bindparam("external_id"))
