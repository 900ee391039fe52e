"""The handlers of domain events, which write webhook events in the same transaction."""

from collections.abc import Mapping

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.transaction_hooks import insert_now
from goodword.domain_events.events import (
    CodeChanged,
    ReferralChanged,
    ReferralMade,
    RewardChanged,
    UserCreated,
    UserErased,
)
from goodword.domain_events.service import Handler
from goodword.events.models import Event
from goodword.rewards.models import Reward
from goodword.services import Services
from goodword.webhooks import writing
from goodword.webhooks.kinds import WebhookKind

_CODE_STATUS = {"created": "prepared", "activated": "active", "retired": "retired", "expired": "expired"}


async def write_user_created(session: AsyncSession, services: Services, event: UserCreated) -> None:
    kind = WebhookKind.USER_CREATED
    await writing.write_about_user(session, services, kind, event.user_id, now=event.at)


async def write_user_erased(session: AsyncSession, services: Services, event: UserErased) -> None:
    kind = WebhookKind.USER_ERASED
    await writing.write_about_user(session, services, kind, event.user_id, now=event.at)


async def write_code_changed(session: AsyncSession, services: Services, event: CodeChanged) -> None:
    """Write what happened to a code, without its text: a chosen code can be a name."""
    data = {
        "id": str(event.code_id),
        "status": _CODE_STATUS[event.change],
        "owner": writing.person(event.owner_id),
    }
    kind, program_id = f"code.{event.change}", event.program_id
    await writing.write(session, services, kind, event.code_id, data, program_id=program_id, now=event.at)


async def write_referral_changed(
    session: AsyncSession, services: Services, event: ReferralMade | ReferralChanged
) -> None:
    data = {
        "id": str(event.referral_id),
        "status": str(event.status),
        "previous_status": str(event.former) if isinstance(event, ReferralChanged) else None,
        "referrer": writing.person(event.referrer_id),
        "referee": writing.person(event.referee_id),
    }
    kind, program_id = f"referral.{event.status}", event.program_id
    await writing.write(session, services, kind, event.referral_id, data, program_id=program_id, now=event.at)


async def write_reward_changed(session: AsyncSession, services: Services, event: RewardChanged) -> None:
    kind, program_id = f"reward.{event.change}", event.program_id
    if not await writing.find_endpoints(services, kind, program_id):
        return
    await insert_now(session)  # a new reward is inserted just before the commit
    reward = (await session.execute(_REWARD, {"reward_id": event.reward_id})).one()
    data = {
        "id": str(event.reward_id),
        "status": _REWARD_STATUS.get(event.change, reward.status),
        "kind": reward.kind,
        "beneficiary": reward.beneficiary,
        "amount_minor": reward.amount_minor,
        "remaining_minor": reward.remaining_minor,
        "currency": reward.currency,
        "participant": writing.person(reward.user_id),
        "referral_id": str(reward.referral_id),
        "event_id": reward.source_id,
    }
    await writing.write(session, services, kind, event.reward_id, data, program_id=program_id, now=event.at)


_REWARD_STATUS = {"created": "pending"}
"""It is created as pending, also if the same transaction approves it."""
_REWARD = (
    select(Reward.__table__, Event.source_id)
    .join(Event, Event.id == Reward.event_id)
    .where(Reward.id == bindparam("reward_id"))
)
HANDLERS: Mapping[type, Handler] = {
    UserCreated: write_user_created,
    UserErased: write_user_erased,
    CodeChanged: write_code_changed,
    ReferralMade: write_referral_changed,
    ReferralChanged: write_referral_changed,
    RewardChanged: write_reward_changed,
}
