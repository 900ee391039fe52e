"""The handlers of domain events, which write webhook events in the same transaction."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.domain_events.events import (
    CodeChanged,
    ReferralChanged,
    ReferralMade,
    UserCreated,
    UserErased,
)
from goodword.domain_events.service import Handler
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


HANDLERS: Mapping[type, Handler] = {
    UserCreated: write_user_created,
    UserErased: write_user_erased,
    CodeChanged: write_code_changed,
    ReferralMade: write_referral_changed,
    ReferralChanged: write_referral_changed,
}
