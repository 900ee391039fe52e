"""Erase an account."""

import uuid

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.actor import Actor, ActorContext, acting_as
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.db.personal_data import Kept
from goodword.domain_events import service as domain_events
from goodword.domain_events.events import UserErased
from goodword.privacy import erasure_cleanup, tombstones
from goodword.services import Services
from goodword.users import service as users
from goodword.users.models import User, UserStatus
from goodword.users.personal_data import data_subject

log = structlog.get_logger("goodword.tombstones")


async def erase(session: AsyncSession, services: Services, user: User) -> None:
    """Erase the account of `user`, who is locked, in this transaction.

    Each feature erases what it declares in `personal_data`. A job removes what is not in the database, and what
    concurrent requests and jobs write while the account is erased.
    """
    subject = data_subject(user)
    for data in reversed(services.personal_data):
        if not isinstance(data.erase, Kept):
            await data.erase(session, services, subject)
    await erasure_cleanup.schedule(session, services, subject)
    await tombstones.record_tombstone(session, services, subject.user_id)
    record(session, Action.USER_ERASED, Subject.USER, subject.user_id)
    await domain_events.publish(session, services, UserErased(subject.user_id, services.clock()))


async def erase_again(services: Services) -> None:
    """Erase accounts from a restored backup again, and synchronise the file of tombstones."""
    with acting_as(ActorContext(Actor.SYSTEM, clock=services.clock)):
        user_ids = await tombstones.find_restored(services)
        for user_id in user_ids:
            await _erase(services, user_id)
        await tombstones.sync_file(services)
    if user_ids:
        log.warning("restored accounts were erased again", accounts=len(user_ids))


async def _erase(services: Services, user_id: uuid.UUID) -> None:
    async with services.database.transaction() as session:
        user = await session.scalar(users.LOCKED, {"user_id": user_id})
        # Another process that starts at the same time may have erased the account.
        if user is not None and user.status != UserStatus.ERASED:
            await erase(session, services, user)
