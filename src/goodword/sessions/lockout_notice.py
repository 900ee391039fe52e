"""The job that reports a lockout of the sign-in to the audit and to the user."""

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

EMAIL_INTERVAL = timedelta(days=1)
"""At most one e-mail a day, since attacks go on for longer."""


async def tell(services: Services, work: ClaimedJob) -> None:
    """Record a lockout and notify the user, if there is an account."""
    told, now = work.payload, services.clock()
    # The audit row describes the request that failed, not this job.
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
            key, scope = services.keys.quotas, quotas.user_scope(MessageKind.SIGN_IN_LOCKED, user.id)
            try:
                await quotas.take(session, key, *scope, limit=1, period=EMAIL_INTERVAL, now=now)
            except quotas.QuotaExceeded:
                return
            notifications.notify(session, user.id, MessageKind.SIGN_IN_LOCKED, now=now)
    finally:
        actor_context.reset(asked)


HANDLERS: Mapping[str, Handler] = {throttle.LOCKED: tell}
