"""What stands in the tables of rewards, and what must hold there whatever happened."""

from typing import Any

from sqlalchemy import select, text

from goodword.db.database import Database
from goodword.events.models import Event
from goodword.rewards.models import Reward, RewardEntry, RewardRule

REWARDS = (
    select(
        Reward.rule_id,
        RewardRule.version,
        Event.source_id,
        Reward.month,
        RewardEntry.from_status,
        RewardEntry.to_status,
        RewardEntry.amount_minor,
    )
    .join(RewardRule, RewardRule.id == Reward.rule_version_id)
    .join(Event, Event.id == Reward.event_id)
    .join(RewardEntry, RewardEntry.reward_id == Reward.id)
    .order_by(RewardEntry.created_at, RewardEntry.id)
)
EVENTS = select(Event.source_id, Event.type, Event.participant_id, Event.occurred_at, Event.refunds)

INVARIANTS = {
    "a balance is the sum of its entries": """SELECT r.id FROM rewards r WHERE r.remaining_minor <>
        (SELECT sum(e.amount_minor) FROM reward_entries e WHERE e.reward_id = r.id)""",
    "one reward for a version, an event and a beneficiary": """SELECT rule_version_id FROM rewards
        GROUP BY rule_version_id, event_id, beneficiary HAVING count(*) > 1""",
    "one event for an id": "SELECT source_id FROM events GROUP BY program_id, source_id HAVING count(*) > 1",
    "nothing is left of what was taken back": """SELECT id FROM rewards
        WHERE (status IN ('canceled', 'reversed')) <> (remaining_minor = 0)""",
    "one entry begins a reward": """SELECT r.id FROM rewards r WHERE 1 <> (SELECT count(*) FROM reward_entries e
        WHERE e.reward_id = r.id AND e.from_status IS NULL AND e.amount_minor = r.amount_minor)""",
    "the beneficiary is of the referral": """SELECT r.id FROM rewards r JOIN referrals f ON f.id = r.referral_id
        WHERE r.referrer_id <> f.referrer_id OR r.program_id <> f.program_id OR r.user_id <>
        CASE r.beneficiary WHEN 'referrer' THEN f.referrer_id ELSE f.referee_id END""",
    "what counts no more has no rewards": """SELECT r.id FROM rewards r JOIN referrals f ON f.id = r.referral_id
        WHERE (f.status = 'rejected' AND r.remaining_minor > 0)
        OR (f.status = 'held' AND r.status NOT IN ('pending', 'canceled'))""",
}
BROKEN = text(
    " UNION ALL ".join(
        f"SELECT '{name}' AS rule WHERE EXISTS ({query})" for name, query in INVARIANTS.items()
    )
)


async def read(database: Database) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Return the month and the entries of each reward, and all events."""
    async with database.readers() as session:
        entries = (await session.execute(REWARDS)).all()
        events = (await session.execute(EVENTS)).all()
    rewards: dict[Any, tuple[str, list[Any]]] = {}
    for rule_id, version, source_id, month, *entry in entries:
        rewards.setdefault((str(rule_id), version, source_id), (month, []))[1].append(tuple(entry))
    return rewards, {one.source_id: (one.type, str(one.participant_id), *one[3:]) for one in events}


async def broken_rules(database: Database) -> list[str]:
    """Return the invariants that do not hold."""
    return [row.rule for row in await database.rows(BROKEN)]
