"""The figures of a program: the funnel of the last thirty days, and what rewards cost by month."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, func, literal, select, text, union_all

from goodword.audit.service import first_id
from goodword.db.database import Database
from goodword.events.models import OWN_TYPES, Event
from goodword.jobs.admin import MAX_COUNTED
from goodword.referrals.models import Referral, ReferralStatus
from goodword.rewards.models import Reward, RewardStatus
from goodword.touches.models import Touch, TouchKind

DAYS = timedelta(days=30)
YEAR = timedelta(days=365)


class Funnel(NamedTuple):
    """Counts of the last thirty days, each of at most `MAX_COUNTED`."""

    clicks: int
    sign_ups: int
    confirmed: int
    events: int
    rewards: int


async def funnel(database: Database, program_id: uuid.UUID, *, now: datetime) -> Funnel:
    """Return how many clicks, sign-ups, events and rewards the program had."""
    since = now - DAYS
    rows = await database.replica_rows(_FUNNEL, program_id=program_id, since=since, first_id=first_id(since))
    return Funnel(**{row.name: row.found for row in rows})


async def costs(database: Database, program_id: uuid.UUID, *, now: datetime) -> Sequence[Row[Any]]:
    """Return what the rewards of the last year are worth, by month of the event, kind and currency, latest first."""
    return await database.replica_rows(COSTS, program_id=program_id, since=f"{now - YEAR:%Y-%m}")


def _counted(name: str, model: Any, *conditions: Any) -> Any:
    rows = select(model.id).where(model.program_id == bindparam("program_id"), *conditions).limit(MAX_COUNTED)
    return select(literal(name).label("name"), func.count().label("found")).select_from(rows.subquery())


def _since(model: Any) -> Any:
    return model.created_at >= bindparam("since", type_=model.created_at.type)


_RECENT_REFERRAL = Referral.id >= bindparam("first_id", type_=Referral.id.type)
_FUNNEL: Any = union_all(
    _counted("clicks", Touch, _since(Touch), Touch.kind == TouchKind.CLICK.value),
    _counted("sign_ups", Referral, _RECENT_REFERRAL),
    _counted("confirmed", Referral, _RECENT_REFERRAL, Referral.status == ReferralStatus.CONFIRMED.value),
    _counted("events", Event, _since(Event), Event.type.not_in(sorted(OWN_TYPES)), Event.refunds.is_(None)),
    _counted("rewards", Reward, _since(Reward)),
)


def _sum_of(status: RewardStatus) -> Any:
    return func.coalesce(func.sum(Reward.remaining_minor).filter(Reward.status == status.value), 0).label(
        status.value
    )


COSTS = (
    select(
        Reward.month,
        Reward.kind,
        Reward.currency,
        _sum_of(RewardStatus.PENDING),
        _sum_of(RewardStatus.APPROVED),
        _sum_of(RewardStatus.FULFILLED),
    )
    .where(
        Reward.program_id == bindparam("program_id"),
        Reward.month >= bindparam("since"),
        text("rewards.remaining_minor > 0"),  # without a parameter, so that the partial index serves
    )
    .group_by(Reward.month, Reward.kind, Reward.currency)
    .order_by(Reward.month.desc(), Reward.kind, Reward.currency)
)
