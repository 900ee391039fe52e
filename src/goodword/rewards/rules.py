"""Reward rules: their versions, and the registry of the active ones in the memory of each process."""

import json
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.cache.lookup_cache import HERE
from goodword.cache.memory import CacheEntry, InvalidationTable, LocalCache
from goodword.db import transaction_hooks
from goodword.db.database import Database
from goodword.db.keyset import Position, keyset_page
from goodword.db.statements import insert
from goodword.errors import Conflict, NotFound
from goodword.programs.models import Program
from goodword.rewards.models import RewardRule
from goodword.rewards.schemas import RuleWrite

CACHE_KEY = f"{HERE}reward rules"
EXISTENCE_KEY = f"{HERE}existence of reward rules"
REMEMBERED = 0.5
"""Seconds that the rules are kept. A node without Redis notices the changes of others after this time."""
EXISTENCE_REMEMBERED = 60.0


class RuleNotFound(NotFound):
    code, detail = "rule_not_found", "There is no active reward rule with this id in the program."


Snapshot = Mapping[tuple[uuid.UUID, str], Sequence[RewardRule]]
"""The active rules by program and trigger, oldest first. They belong to no session: change none of them."""


class RuleRegistry:
    """Finds the active rules of a program. There are few, so that each process keeps all of them."""

    def __init__(
        self, database: Database, invalidations: InvalidationTable, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._cache: LocalCache[Snapshot] = LocalCache(invalidations, clock, seconds=REMEMBERED)
        self._existence: LocalCache[bool] = LocalCache(invalidations, clock, seconds=EXISTENCE_REMEMBERED)

    async def exist(self) -> bool:
        """Return whether there are or were rules, so that people can have rewards. It reads once a minute."""
        return await self._existence.get(EXISTENCE_KEY, self._load_existence, invalidated_by=CACHE_KEY)

    async def _load_existence(self) -> CacheEntry[bool]:
        return CacheEntry(bool(await self._database.rows(_ANY)), math.inf)

    async def triggered_by(self, program_id: uuid.UUID, event_type: str) -> Sequence[RewardRule]:
        """Return the rules that an event of a type triggers."""
        found = await self._cache.get(CACHE_KEY, self._load, invalidated_by=CACHE_KEY)
        return found.get((program_id, event_type), ())

    async def _load(self) -> CacheEntry[Snapshot]:
        names = RewardRule.__table__.columns.keys()
        rules: dict[tuple[uuid.UUID, str], list[RewardRule]] = {}
        for row in await self._database.rows(_ACTIVE):
            rule = RewardRule(**{name: getattr(row, name) for name in names})
            rules.setdefault((rule.program_id, rule.trigger), []).append(rule)
        return CacheEntry(rules, math.inf)


async def create(session: AsyncSession, program: Program, body: RuleWrite, *, now: datetime) -> RewardRule:
    """Create a rule of a program."""
    rule = await _insert(session, program, body, rule_id=uuid7(), version=1, now=now)
    record(session, Action.REWARD_RULE_CREATED, Subject.REWARD_RULE, rule.rule_id)
    return rule


async def replace(
    session: AsyncSession,
    program: Program,
    rule_id: uuid.UUID,
    body: RuleWrite,
    *,
    version: int | None = None,
    now: datetime,
) -> RewardRule:
    """Replace a rule by a new version. What it has promised stays. The same terms make no new version.

    `version` is the one to replace, if only this one may be. Raises `RuleNotFound`, and `Conflict` for another version.
    """
    former = await _lock(session, program, rule_id)
    if version not in {None, former.version}:
        raise Conflict
    if RuleWrite.of(former) == body:
        return former
    former.retired_at = now
    await session.flush()
    rule = await _insert(session, program, body, rule_id=rule_id, version=former.version + 1, now=now)
    record(session, Action.REWARD_RULE_CHANGED, Subject.REWARD_RULE, rule_id, version=rule.version)
    return rule


async def retire(session: AsyncSession, program: Program, rule_id: uuid.UUID, *, now: datetime) -> None:
    """End a rule. Rewards that exist stay. Raises `RuleNotFound`."""
    rule = await _lock(session, program, rule_id)
    rule.retired_at = now
    record(session, Action.REWARD_RULE_RETIRED, Subject.REWARD_RULE, rule_id)
    transaction_hooks.invalidate(session, CACHE_KEY)


async def get(session: AsyncSession, program: Program, rule_id: uuid.UUID) -> RewardRule:
    """Return the active version of a rule. Raises `RuleNotFound`."""
    rule: RewardRule | None = await session.scalar(_ONE, {"program_id": program.id, "rule_id": rule_id})
    if rule is None:
        raise RuleNotFound
    return rule


async def list_rules(
    session: AsyncSession, program: Program, *, after: Position | None, limit: int
) -> Sequence[RewardRule]:
    """Return the active rules of a program, newest first, and one more than `limit` if there are more."""
    query = select(RewardRule).where(RewardRule.program_id == program.id, RewardRule.retired_at.is_(None))
    page = keyset_page(query, (RewardRule.created_at, RewardRule.id), after=after, limit=limit)
    return (await session.scalars(page)).all()


async def _lock(session: AsyncSession, program: Program, rule_id: uuid.UUID) -> RewardRule:
    """Return the active version of a rule, after changes of other rules of the program. Raises `RuleNotFound`.

    The version itself cannot be waited for: the one that replaces it is another row.
    """
    await session.execute(_LOCK_PROGRAM, {"program_id": program.id})
    return await get(session, program, rule_id)


async def _insert(
    session: AsyncSession,
    program: Program,
    body: RuleWrite,
    *,
    rule_id: uuid.UUID,
    version: int,
    now: datetime,
) -> RewardRule:
    values: dict[str, Any] = body.model_dump(exclude={"tiers", "cap", "within", "hold"})
    if body.tiers is not None:
        values["tiers"] = json.dumps(
            [tier.model_dump(by_alias=True, exclude_none=True) for tier in body.tiers]
        )
    if body.cap is not None:
        values |= {"cap_count": body.cap.count, "cap_per": body.cap.per}
    values |= {"within_seconds": body.within, "hold_seconds": body.hold}
    transaction_hooks.invalidate(session, CACHE_KEY)
    return await insert(
        session, RewardRule, program_id=program.id, rule_id=rule_id, version=version, created_at=now, **values
    )


_ACTIVE = (
    select(RewardRule.__table__)
    .where(RewardRule.retired_at.is_(None))
    .order_by(RewardRule.created_at, RewardRule.id)
)
_ANY = select(RewardRule.id).limit(1)
_ONE: Any = select(RewardRule).where(
    RewardRule.program_id == bindparam("program_id"),
    RewardRule.rule_id == bindparam("rule_id"),
    RewardRule.retired_at.is_(None),
)
_LOCK_PROGRAM = (
    select(Program.id).where(Program.id == bindparam("program_id")).with_for_update(key_share=True)
)
