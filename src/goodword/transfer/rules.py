"""Import versions of reward rules, and the coupons of their pools."""

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db import transaction_hooks
from goodword.db.statements import one_of
from goodword.rewards.models import Coupon, Reward, RewardKind, RewardRule
from goodword.rewards.rules import CACHE_KEY
from goodword.transfer.fields import Refusal
from goodword.transfer.programs import Programs
from goodword.transfer.reward_records import CouponRecord, RewardRuleRecord
from goodword.transfer.rows import Deferred, Done, Outcome, insert_all


async def add_rules(
    session: AsyncSession, batch: Sequence[RewardRuleRecord], programs: Programs, *, now: datetime
) -> list[Outcome]:
    """Create the versions of rules that do not exist yet, and return what became of each line."""
    columns = (RewardRule.id, RewardRule.rule_id, RewardRule.version, RewardRule.retired_at)
    query = select(*columns, RewardRule.program_id).where(
        or_(
            one_of(session, RewardRule.rule_id, {record.rule_id for record in batch}),
            one_of(session, RewardRule.id, {record.id for record in batch if record.id}),
        )
    )
    found = (await session.execute(query)).all()
    versions = {(row.rule_id, row.version) for row in found}
    ids = {row.id for row in found}
    active = {row.rule_id for row in found if row.retired_at is None}
    program_of = {row.rule_id: row.program_id for row in found}
    outcomes: list[Outcome] = []
    rows: list[dict[str, Any]] = []
    for record in batch:
        program_id = programs.find(record.program)
        if program_id is None:
            outcomes.append(Deferred(Refusal("program", "program_unknown")))
        elif program_of.setdefault(record.rule_id, program_id) != program_id:
            outcomes.append(Refusal("program", "rule_of_another_program"))
        elif (record.rule_id, record.version) in versions:
            outcomes.append(Done.UNCHANGED)
        elif record.id in ids:
            outcomes.append(Refusal("id", "id_taken"))
        elif record.retired_at is None and record.rule_id in active:
            outcomes.append(Refusal("version", "active_rule_exists"))
        else:
            versions.add((record.rule_id, record.version))
            if record.id:
                ids.add(record.id)
            if record.retired_at is None:
                active.add(record.rule_id)
            rows.append(_rule(record, program_id, now))
            outcomes.append(Done.CREATED)
    if rows:
        transaction_hooks.invalidate(session, CACHE_KEY)
    await insert_all(session, RewardRule, rows)
    return outcomes


def _rule(record: RewardRuleRecord, program_id: uuid.UUID, now: datetime) -> dict[str, Any]:
    row = record.model_dump(exclude={"type", "id", "program", "tiers", "within", "hold", "created_at"})
    row |= {
        "program_id": program_id,
        "tiers": json.dumps(record.tiers) if record.tiers else None,
        "within_seconds": record.within,
        "hold_seconds": record.hold,
        "created_at": record.created_at or now,
    }
    return row | ({"id": record.id} if record.id else {})


async def add_coupons(
    session: AsyncSession, batch: Sequence[CouponRecord], *, now: datetime
) -> list[Outcome]:
    """Add the coupons that are not there yet, each with the reward that has it."""
    query = select(RewardRule.rule_id, RewardRule.program_id).where(
        one_of(session, RewardRule.rule_id, {record.rule_id for record in batch}),
        RewardRule.kind == RewardKind.COUPON,
    )
    programs = {row.rule_id: row.program_id for row in await session.execute(query)}
    given = {record.reward_id for record in batch if record.reward_id}
    rewards = select(Reward.id, Reward.rule_id).where(one_of(session, Reward.id, given))
    rule_of = {row.id: row.rule_id for row in await session.execute(rewards)}
    known = select(Coupon.id, Coupon.rule_id, Coupon.code, Coupon.reward_id).where(
        or_(
            one_of(session, Coupon.code, {record.code for record in batch}),
            one_of(session, Coupon.id, {record.id for record in batch if record.id}),
            one_of(session, Coupon.reward_id, given),
        )
    )
    found = (await session.execute(known)).all()
    codes = {(row.rule_id, row.code) for row in found}
    ids, taken = {row.id for row in found}, {row.reward_id for row in found if row.reward_id}
    outcomes: list[Outcome] = []
    rows: list[dict[str, Any]] = []
    for record in batch:
        if record.rule_id not in programs:
            outcomes.append(Deferred(Refusal("rule_id", "rule_unknown")))
        elif (record.rule_id, record.code) in codes:
            outcomes.append(Done.UNCHANGED)
        elif record.reward_id and record.reward_id not in rule_of:
            outcomes.append(Deferred(Refusal("reward_id", "reward_unknown")))
        elif record.reward_id and rule_of[record.reward_id] != record.rule_id:
            outcomes.append(Refusal("reward_id", "reward_of_another_rule"))
        elif record.id in ids or record.reward_id in taken:
            outcomes.append(Refusal("id" if record.id in ids else "reward_id", "id_taken"))
        else:
            codes.add((record.rule_id, record.code))
            ids |= {record.id} if record.id else set()
            taken |= {record.reward_id} if record.reward_id else set()
            row = record.model_dump(exclude={"type"}, exclude_none=True)
            row |= {"program_id": programs[record.rule_id], "reward_id": record.reward_id}
            rows.append(row | {"created_at": record.created_at or now})
            outcomes.append(Done.CREATED)
    await insert_all(session, Coupon, rows)
    return outcomes
