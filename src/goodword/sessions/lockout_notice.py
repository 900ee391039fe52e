"""The job behind a lock of the sign-in: whoever has the account is told, and the audit."""

import uuid
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import select

from goodword.actor import Actor, ActorContext, actor_context
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.jobs import service as jobs
from goodword.jobs.service import ClaimedJob
from goodword.jobs.worker import Handler
from goodword.mail import notifications
from goodword.mail.messages import MessageKind
from goodword.rate_limits import quotas
from goodword.services import Services
from goodword.sessions import throttle
from goodword.users.models import User, UserStatus

LETTERS_EVERY = timedelta(days=1)
"""One letter a day: an attack goes on for longer than that, and its victim should not be buried in letters."""


async def tell(services: Services, work: ClaimedJob) -> None:
    """Note a lock, and send a letter, if the address is anybody's here. Nobody learns the answer."""
    told, now = work.payload, services.clock()
    # The row tells of the request that failed, not of this job.
    address, request_id = told["address"], told["request_id"]
    asked = actor_context.set(
        ActorContext(Actor.ANONYMOUS, request_id=request_id, peer=address, clock=services.clock)
    )
    try:
        async with services.database.transaction() as session:
            named = (
                User.id == uuid.UUID(told["user_id"])
                if "user_id" in told
                else User.email_key == told["email_key"]
            )
            user = await session.scalar(
                select(User).where(named, User.status == UserStatus.ACTIVE).with_for_update(key_share=True)
            )
            if user is None or not await jobs.is_claimed(session, work):
                return
            record(
                session,
                Action.SIGN_IN_LOCKED,
                Subject.USER,
                user.id,
                failures=told["failures"],
                where=told["where"],
            )
            key, scope = (
                services.keys.quotas,
                (MessageKind.SIGN_IN_LOCKED, str(user.id)),
            )
            try:
                await quotas.take(session, key, *scope, limit=1, period=LETTERS_EVERY, now=now)
            except quotas.QuotaExceeded:
                return
            notifications.notify(session, user.id, MessageKind.SIGN_IN_LOCKED, now=now)
    finally:
        actor_context.reset(asked)


HANDLERS: Mapping[str, Handler] = {throttle.LOCKED: tell}
