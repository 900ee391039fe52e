"""The job that reports a lockout of the sign-in to the audit and to the user."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from goodword.actor import Actor, ActorContext, acting_as
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.jobs.service import ClaimedJob
from goodword.jobs.worker import Handler
from goodword.mail import notifications
from goodword.mail.messages import MessageKind
from goodword.rate_limits import quotas
from goodword.services import Services
from goodword.sessions import throttle
from goodword.users import service as users

EMAIL_INTERVAL = timedelta(days=1)
"""At most one e-mail a day, since attacks go on for longer."""


async def report(services: Services, job: ClaimedJob) -> None:
    """Record a lockout and notify the user, if there is an account."""
    payload, now = job.payload, services.clock()
    details = {name: payload[name] for name in ("failures", "where")}
    key, kind = services.keys.quotas, MessageKind.SIGN_IN_LOCKED
    # The audit row describes the request that failed, not this job.
    request_id, address = payload["request_id"], payload["address"]
    request = ActorContext(Actor.ANONYMOUS, request_id=request_id, peer=address, clock=services.clock)
    with acting_as(request):
        async with services.database.transaction() as session:
            user = await users.lock_for_job(session, job)
            if user is None:
                return
            record(session, Action.SIGN_IN_LOCKED, Subject.USER, user.id, **details)
            scope = quotas.user_scope(kind, user.id)
            with suppress(quotas.QuotaExceeded):
                await quotas.take(session, key, *scope, limit=1, period=EMAIL_INTERVAL, now=now)
                notifications.notify(session, user.id, kind, now=now)


HANDLERS: Mapping[str, Handler] = {throttle.LOCKED: report}
