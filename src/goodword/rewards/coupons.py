"""The pool of coupons of a rule."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.db.statements import insert_absent
from goodword.db.transaction_hooks import insert_now
from goodword.errors import Conflict
from goodword.rewards.models import Coupon, RewardKind, RewardRule


class NotACouponRule(Conflict):
    code = "not_a_coupon_rule"
    detail = "Only rules of the kind `coupon` have a pool of coupons."


async def add(session: AsyncSession, rule: RewardRule, codes: Sequence[str], *, now: datetime) -> int:
    """Add coupons to the pool of a rule. Return how many are new. Raises `NotACouponRule`."""
    if rule.kind != RewardKind.COUPON:
        raise NotACouponRule
    rows = [
        {
            "id": uuid7(),
            "created_at": now,
            "program_id": rule.program_id,
            "rule_id": rule.rule_id,
            "code": code,
            "reward_id": None,
        }
        for code in dict.fromkeys(codes)
    ]
    added = await insert_absent(session, Coupon, rows)
    record(session, Action.COUPONS_ADDED, Subject.REWARD_RULE, rule.rule_id, coupons=added)
    return added


async def pick(session: AsyncSession, rule_id: uuid.UUID, *, locked: bool = True) -> Coupon | None:
    """Return a free coupon of a rule. None if there is none, or if concurrent transactions hold the last ones."""
    await insert_now(session)
    coupon: Coupon | None = await session.scalar(_LOCKED if locked else _FREE, {"rule_id": rule_id})
    return coupon


async def give(session: AsyncSession, coupon: Coupon, reward_id: uuid.UUID) -> None:
    """Give a picked coupon to a reward, which may wait for its insertion."""
    await insert_now(session)
    coupon.reward_id = reward_id
    await session.flush()


async def release(session: AsyncSession, reward_id: uuid.UUID) -> None:
    """Return the coupon of a canceled reward to the pool. Its beneficiary has not seen it."""
    await session.execute(_RELEASE, {"of_reward": reward_id})


async def count(session: AsyncSession, rule_id: uuid.UUID) -> tuple[int, int]:
    """Return the number of free coupons of a rule, and of all."""
    row = (await session.execute(_COUNTS, {"rule_id": rule_id})).one()
    return row.free, row.total


_OF_RULE = Coupon.rule_id == bindparam("rule_id")
_FREE: Any = select(Coupon).where(_OF_RULE, Coupon.reward_id.is_(None)).order_by(Coupon.id).limit(1)
_LOCKED = _FREE.with_for_update(skip_locked=True)
_RELEASE: Any = (
    update(Coupon)
    .where(Coupon.reward_id == bindparam("of_reward"))
    .values(reward_id=None)
    .execution_options(synchronize_session=False)
)
_COUNTS = select(
    func.count().label("total"), (func.count() - func.count(Coupon.reward_id)).label("free")
).where(_OF_RULE)
