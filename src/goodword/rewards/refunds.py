"""Refunds: what is left of the rewards of a refunded event. The order in which the two arrive does not matter."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.events.models import Event
from goodword.events.schemas import EventWarning
from goodword.rewards import calculation, states
from goodword.rewards.models import Reward, RewardKind
from goodword.services import Services

REASON = "refund"


class Refunded(NamedTuple):
    """What the refunds of an event amount to."""

    is_any: bool
    in_full: bool
    amount_minor: int


NOT_REFUNDED = Refunded(False, False, 0)


class Refund(NamedTuple):
    """The event that is refunded, and what was refunded of it before."""

    event: Event
    before: Refunded = NOT_REFUNDED


async def refunded(session: AsyncSession, event: Event) -> Refunded:
    """Return what was refunded of an event by the same participant in the same currency."""
    values = {
        "program_id": event.program_id,
        "refunds": event.source_id,
        "participant_id": event.participant_id,
        "currency": event.currency,
    }
    row = (await session.execute(_REFUNDS, values)).one()
    if not row.refunds:
        return NOT_REFUNDED
    paid, total = event.amount_minor, int(row.total or 0)
    # Without an amount on either side, the refund is of all.
    in_full = not paid or row.with_amount < row.refunds or total >= paid
    return Refunded(True, in_full, total)


def warnings_of(event: Event, refund: Refund) -> list[EventWarning]:
    """Return why the event that is a refund takes nothing back, or less than its amount. It is not stored yet."""
    paid = refund.event
    if paid.participant_id != event.participant_id:
        return [EventWarning.REFUND_OF_OTHER_PARTICIPANT]
    if event.currency is not None and paid.currency is not None and event.currency != paid.currency:
        return [EventWarning.REFUND_CURRENCY_MISMATCH]
    total = refund.before.amount_minor + (event.amount_minor or 0)
    if paid.amount_minor is not None and total > paid.amount_minor:
        return [EventWarning.REFUND_EXCEEDS_AMOUNT]
    return []


async def apply(session: AsyncSession, services: Services, refund: Refund, *, now: datetime) -> None:
    """Take back of the rewards of an event what the refunds since `refund.before` amount to. They are stored.

    What was reversed by hand is taken back in addition, so the order of both does not matter.
    """
    event = refund.event
    found = await refunded(session, event)
    if found == refund.before:
        return
    for reward in await states.of_event(session, event.id):
        taken = _left(reward, event, refund.before) - _left(reward, event, found)
        taken = min(taken, reward.remaining_minor)
        if taken > 0:
            await states.take_back(session, services, reward, taken, reason=REASON, now=now)


def _left(reward: Reward, event: Event, found: Refunded) -> int:
    """Return what refunds leave of a reward."""
    if found.in_full:
        return 0
    if not found.is_any or reward.kind in {RewardKind.COUPON, RewardKind.CUSTOM}:  # not divisible
        return reward.amount_minor
    paid = event.amount_minor or 0
    return calculation.remaining(reward.amount_minor, paid_minor=paid, refunded_minor=found.amount_minor)


_REFUNDS: Any = select(
    func.count().label("refunds"),
    func.count(Event.amount_minor).label("with_amount"),
    func.sum(Event.amount_minor).label("total"),
).where(
    Event.program_id == bindparam("program_id"),
    Event.refunds == bindparam("refunds"),
    Event.participant_id == bindparam("participant_id"),
    (Event.currency.is_(None))
    | (Event.currency == func.coalesce(bindparam("currency", type_=Event.currency.type), Event.currency)),
)
