"""Export reward rules, events, rewards with their entries, and coupons."""

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goodword.events.models import Event
from goodword.rewards.models import Coupon, Reward, RewardEntry, RewardRule
from goodword.transfer.export_values import ProgramsById, other_program, page, pages, present, time_text


async def records(
    connection: AsyncConnection, programs: ProgramsById
) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """Yield records by type, page by page."""
    async for rows in pages(connection, _RULES):
        yield "reward_rule", [_rule(row, programs) for row in rows]
    async for rows in pages(connection, _EVENTS):
        yield "event", [_event(row, programs) for row in rows]
    async for rows in pages(connection, _REWARDS):
        entries: dict[uuid.UUID, list[dict[str, Any]]] = {row.id: [] for row in rows}
        between = {"first": rows[0].id, "last": rows[-1].id}
        for entry in await connection.execute(_ENTRIES, between):
            entries[entry.reward_id].append(_entry(entry))
        yield "reward", [_reward(row, entries[row.id]) for row in rows]
    async for rows in pages(connection, _COUPONS):
        yield "coupon", [_coupon(row) for row in rows]


def _rule(row: Row[Any], programs: ProgramsById) -> dict[str, Any]:
    return present(
        type="reward_rule",
        id=str(row.id),
        rule_id=str(row.rule_id),
        version=row.version,
        program=other_program(row.program_id, programs),
        trigger=row.trigger,
        beneficiary=row.beneficiary,
        kind=row.kind,
        description=row.description,
        amount_minor=row.amount_minor,
        basis_points=row.basis_points,
        tiers=json.loads(row.tiers) if row.tiers else None,
        min_amount_minor=row.min_amount_minor,
        max_events=row.max_events,
        within=row.within_seconds,
        cap_count=row.cap_count,
        cap_per=row.cap_per,
        starts_at=time_text(row.starts_at),
        ends_at=time_text(row.ends_at),
        hold=row.hold_seconds,
        approval=row.approval,
        created_at=time_text(row.created_at),
        retired_at=time_text(row.retired_at),
    )


def _event(row: Row[Any], programs: ProgramsById) -> dict[str, Any]:
    return present(
        type="event",
        id=str(row.id),
        program=other_program(row.program_id, programs),
        participant=str(row.participant_id),
        event_type=row.type,
        source_id=row.source_id,
        occurred_at=time_text(row.occurred_at),
        amount_minor=row.amount_minor,
        currency=row.currency,
        refunds=row.refunds,
        metadata=json.loads(row.details) if row.details else None,
        outcome=json.loads(row.outcome) if row.outcome else None,
        created_at=time_text(row.created_at),
    )


def _reward(row: Row[Any], entries: list[dict[str, Any]]) -> dict[str, Any]:
    return present(
        type="reward",
        id=str(row.id),
        rule_version_id=str(row.rule_version_id),
        event_id=str(row.event_id),
        referral_id=str(row.referral_id),
        referrer=str(row.referrer_id),
        user=str(row.user_id),
        beneficiary=row.beneficiary,
        amount_minor=row.amount_minor,
        remaining_minor=row.remaining_minor,
        currency=row.currency,
        status=row.status,
        available_at=time_text(row.available_at),
        is_automatic=row.is_automatic,
        month=row.month,
        external_reference=row.external_reference,
        created_at=time_text(row.created_at),
        entries=entries,
    )


def _entry(row: Row[Any]) -> dict[str, Any]:
    return present(
        from_status=row.from_status,
        to_status=row.to_status,
        amount_minor=row.amount_minor,
        reason=row.reason,
        actor=row.actor,
        actor_id=str(row.actor_id) if row.actor_id else None,
        created_at=time_text(row.created_at),
    )


def _coupon(row: Row[Any]) -> dict[str, Any]:
    return present(
        type="coupon",
        id=str(row.id),
        rule_id=str(row.rule_id),
        code=row.code,
        reward_id=str(row.reward_id) if row.reward_id else None,
        created_at=time_text(row.created_at),
    )


_RULES = page(select(RewardRule.__table__), RewardRule.id)
_EVENTS = page(select(Event.__table__), Event.id)
_REWARDS = page(select(Reward.__table__), Reward.id)
_COUPONS = page(select(Coupon.__table__), Coupon.id)
_ID = RewardEntry.reward_id
_ENTRIES = (
    select(RewardEntry.__table__)
    .where(bindparam("first", type_=_ID.type) <= _ID, bindparam("last", type_=_ID.type) >= _ID)
    .order_by(_ID, RewardEntry.created_at, RewardEntry.id)
)
