"""Checks of rewards and of pools of coupons."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from goodword.doctor.findings import Check, Finding, Level, error, note, ok
from goodword.doctor.installation import Installation
from goodword.programs.models import Program, ProgramStatus
from goodword.rewards.models import Coupon, Reward, RewardEntry, RewardKind, RewardRule

NEWEST = 10_000
"""Rewards that are compared with their entries: a check must end soon."""
NAMED = 5
FEW = 10
"""Coupons."""


async def check_sums(installation: Installation) -> Finding:
    await installation.migrated()
    rows = await installation.rows(_WRONG)
    if rows:
        return error(f"The entries do not sum to what is left: {_listed(str(row.id) for row in rows)}.")
    return ok("The entries of each reward sum to what is left of it.")


async def check_coupons(installation: Installation) -> Finding:
    await installation.migrated()
    pools = [f"{row.slug} {row.rule_id} ({row.free})" for row in await installation.rows(_POOLS)]
    if pools:
        return note(f"Pools with fewer than {FEW} coupons left: {_listed(pools)}.")
    return ok("Every pool has coupons.")


def _listed(names: Any) -> str:
    found = list(names)
    return ", ".join(found[:NAMED]) + (" and others" if len(found) > NAMED else "")


_newest = select(Reward.id, Reward.remaining_minor).order_by(Reward.id.desc()).limit(NEWEST).subquery()
_sum = (
    select(func.coalesce(func.sum(RewardEntry.amount_minor), 0))
    .where(RewardEntry.reward_id == _newest.c.id)
    .scalar_subquery()
)
_WRONG = select(_newest.c.id).where(_newest.c.remaining_minor != _sum).limit(NAMED + 1)
_free = (
    select(func.count())
    .select_from(
        select(Coupon.id)
        .where(Coupon.rule_id == RewardRule.rule_id, Coupon.reward_id.is_(None))
        .limit(FEW)
        .correlate(RewardRule)
        .subquery()
    )
    .correlate(RewardRule)
    .scalar_subquery()
)
_POOLS = (
    select(Program.slug, RewardRule.rule_id, _free.label("free"))
    .join(Program, Program.id == RewardRule.program_id)
    .where(
        RewardRule.kind == RewardKind.COUPON,
        RewardRule.retired_at.is_(None),
        Program.status == ProgramStatus.ACTIVE,
        _free < FEW,
    )
    .order_by(Program.slug, RewardRule.created_at)
    .limit(NAMED + 1)
)
CHECKS: Sequence[Check] = (
    Check(
        id="reward-entries",
        title="The entries of rewards sum to what is left of them",
        remedy="Compare the reward with its history by `GET /api/v1/rewards/{id}`, and find out which program wrote it.",
        level=Level.ERROR,
        run=check_sums,
    ),
    Check(
        id="coupons",
        title=f"Every pool has {FEW} coupons or more",
        remedy="Add coupons by `POST …/reward-rules/{id}/coupons`, or end the rule. See `docs/rewards.md`.",
        level=Level.NOTE,
        run=check_coupons,
    ),
)
