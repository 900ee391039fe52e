"""Personal data: events and rewards. Their rows outlive an erasure, as amounts without a name."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.personal_data import DataSubject, PersonalData, fields_of, rows_by_id
from goodword.events.models import Event
from goodword.programs.models import Program
from goodword.rewards import listing, states
from goodword.rewards.models import Coupon, Reward, RewardEntry, RewardRule
from goodword.services import Services

ERASED = "beneficiary_erased"
_EVENT_FIELDS = "type source_id occurred_at created_at amount_minor currency refunds"
_REWARD_FIELDS = "status kind beneficiary amount_minor remaining_minor currency available_at created_at program description"
_ENTRY_FIELDS = "reward_id from_status to_status amount_minor reason created_at"


async def _erase_events(session: AsyncSession, _services: Services, subject: DataSubject) -> None:
    own = update(Event).where(Event.participant_id == subject.user_id, Event.details.is_not(None))
    await session.execute(own.values(details=None).execution_options(synchronize_session=False))


async def _cancel_rewards(session: AsyncSession, services: Services, subject: DataSubject) -> None:
    """Cancel what the person can no longer get. What others earned by the person stays."""
    now = services.clock()
    for reward in await states.of_user(session, subject.user_id):
        await states.end(session, services, reward, reason=ERASED, now=now)


async def _erase_reasons(session: AsyncSession, _services: Services, subject: DataSubject) -> None:
    # A reason may name the person.
    own = select(Reward.id).where(Reward.user_id == subject.user_id)
    entries = update(RewardEntry).where(RewardEntry.reward_id.in_(own), RewardEntry.reason.is_not(None))
    entries = entries.where(RewardEntry.reason != ERASED)
    await session.execute(entries.values(reason=None).execution_options(synchronize_session=False))


def _event(_user_id: uuid.UUID, row: Row[Any]) -> Mapping[str, Any]:
    found = {name: getattr(row, name) for name in _EVENT_FIELDS.split()}
    return found | {"metadata": json.loads(row.details) if row.details else {}}


def _reward(_user_id: uuid.UUID, row: Row[Any]) -> Mapping[str, Any]:
    found = {name: getattr(row, name) for name in _REWARD_FIELDS.split()}
    return found | {"coupon": row.coupon if row.status in listing.COUPON_SHOWN else None}


_REWARDS: Any = (
    select(
        Reward.__table__,
        Program.slug.label("program"),
        RewardRule.description,
        Coupon.code.label("coupon"),
    )
    .join(Program, Program.id == Reward.program_id)
    .join(RewardRule, RewardRule.id == Reward.rule_version_id)
    .outerjoin(Coupon, Coupon.reward_id == Reward.id)
)
_ENTRIES: Any = select(RewardEntry.__table__).join(Reward, Reward.id == RewardEntry.reward_id)
PERSONAL_DATA = (
    PersonalData(
        model=Event,
        erase=_erase_events,
        export={"events": rows_by_id(select(Event.__table__), Event.participant_id, Event.id, _event)},
    ),
    PersonalData(
        model=RewardEntry,
        erase=_erase_reasons,
        export={
            "reward_entries": rows_by_id(_ENTRIES, Reward.user_id, RewardEntry.id, fields_of(_ENTRY_FIELDS))
        },
    ),
    PersonalData(
        model=Reward,
        erase=_cancel_rewards,
        export={"rewards": rows_by_id(_REWARDS, Reward.user_id, Reward.id, _reward)},
    ),
)
