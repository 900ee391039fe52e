"""Import rewards with their entries, as they are. Nothing is granted, and no message is sent."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from goodword.db.statements import one_of
from goodword.events.models import Event
from goodword.referrals.models import Referral
from goodword.rewards.models import Reward, RewardEntry, RewardKind, RewardRule, RewardStatus
from goodword.rewards.personal_data import ERASED
from goodword.transfer.fields import Refusal
from goodword.transfer.reward_records import RewardRecord
from goodword.transfer.rows import Deferred, Done, Outcome, Users, insert_all, load_users
from goodword.users.models import UserStatus

UNPAID = {RewardStatus.PENDING, RewardStatus.APPROVED}


async def add_rewards(
    session: AsyncSession, batch: Sequence[RewardRecord], *, lock: bool, now: datetime
) -> list[Outcome]:
    """Add the rewards that do not exist yet, and return what became of each line."""
    users = await load_users(
        session, [one for record in batch for one in (record.user, record.referrer)], lock=lock
    )
    parts = await _Parts.load(session, batch)
    known, ids = await _existing(session, batch)
    outcomes: list[Outcome] = []
    rows: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    for record in batch:
        key = record.rule_version_id, record.event_id, record.beneficiary.value
        if key in known:
            outcomes.append(Done.UNCHANGED)
        elif record.id in ids:
            outcomes.append(Refusal("id", "id_taken"))
        elif (refusal := parts.check(record) or _check_people(record, users)) is not None:
            outcomes.append(refusal)
        else:
            known.add(key)
            reward_id = record.id or uuid7()
            ids.add(reward_id)
            user = users.find(record.user)
            rule = parts.rules[record.rule_version_id]
            rows.append(_row(record, reward_id, rule, user.id, users.find(record.referrer).id, now))
            entries += _entries(record, reward_id, is_erased=user.status == UserStatus.ERASED)
            outcomes.append(Done.CREATED)
    await insert_all(session, Reward, rows)
    await insert_all(session, RewardEntry, entries)
    return outcomes


class _Parts(NamedTuple):
    """What the rewards of a batch refer to, by id."""

    rules: dict[uuid.UUID, Any]
    events: dict[uuid.UUID, Any]
    referrals: dict[uuid.UUID, Any]

    @classmethod
    async def load(cls, session: AsyncSession, batch: Sequence[RewardRecord]) -> "_Parts":
        rules = select(RewardRule.id, RewardRule.program_id, RewardRule.rule_id, RewardRule.kind).where(
            one_of(session, RewardRule.id, {record.rule_version_id for record in batch})
        )
        events = select(Event.id, Event.program_id).where(
            one_of(session, Event.id, {record.event_id for record in batch})
        )
        referrals = select(Referral.id, Referral.program_id).where(
            one_of(session, Referral.id, {record.referral_id for record in batch})
        )
        found = [{row.id: row for row in await session.execute(one)} for one in (rules, events, referrals)]
        return cls(*found)

    def check(self, record: RewardRecord) -> Deferred | Refusal | None:
        """Return why a reward cannot be added, or None."""
        rule = self.rules.get(record.rule_version_id)
        if rule is None:
            return Deferred(Refusal("rule_version_id", "rule_unknown"))
        for field, found in (
            ("event", self.events.get(record.event_id)),
            ("referral", self.referrals.get(record.referral_id)),
        ):
            if found is None:
                return Deferred(Refusal(f"{field}_id", f"{field}_unknown"))
            if found.program_id != rule.program_id:
                return Refusal(f"{field}_id", f"{field}_of_another_program")
        if (rule.kind == RewardKind.POINTS) != (record.currency is None):
            return Refusal(
                "currency", "currency_missing" if record.currency is None else "currency_of_points"
            )
        return None


def _check_people(record: RewardRecord, users: Users) -> Deferred | Refusal | None:
    for field in ("user", "referrer"):
        if users.find(getattr(record, field)) is None:
            return Deferred(Refusal(field, "user_unknown"))
    is_erased = users.find(record.user).status == UserStatus.ERASED
    return Refusal("user", "user_erased") if is_erased and record.status in UNPAID else None


async def _existing(
    session: AsyncSession, batch: Sequence[RewardRecord]
) -> tuple[set[tuple[uuid.UUID, uuid.UUID, str]], set[uuid.UUID]]:
    """Return the rewards that exist, by what is unique about them and by id."""
    query = select(Reward.id, Reward.rule_version_id, Reward.event_id, Reward.beneficiary).where(
        or_(
            one_of(session, Reward.event_id, {record.event_id for record in batch}),
            one_of(session, Reward.id, {record.id for record in batch if record.id}),
        )
    )
    found = (await session.execute(query)).all()
    keys = {(row.rule_version_id, row.event_id, row.beneficiary) for row in found}
    return keys, {row.id for row in found}


def _row(
    record: RewardRecord,
    reward_id: uuid.UUID,
    rule: Any,
    user_id: uuid.UUID,
    referrer_id: uuid.UUID,
    now: datetime,
) -> dict[str, Any]:
    row = record.model_dump(exclude={"type", "id", "entries", "user", "referrer", "created_at"})
    return row | {
        "id": reward_id,
        "program_id": rule.program_id,
        "rule_id": rule.rule_id,
        "kind": rule.kind,
        "user_id": user_id,
        "referrer_id": referrer_id,
        "created_at": record.created_at or now,
    }


def _entries(record: RewardRecord, reward_id: uuid.UUID, *, is_erased: bool) -> list[dict[str, Any]]:
    """Return the rows of the entries. A reason may name a person who was erased since the export."""
    return [
        entry.model_dump(exclude={"reason"})
        | {
            "id": uuid7(),
            "reward_id": reward_id,
            "reason": entry.reason if entry.reason == ERASED or not is_erased else None,
        }
        for entry in record.entries
    ]
