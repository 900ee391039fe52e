"""Requests for e-mails to other addresses.

A request checks only its sender, so that its result reveals nothing about the recipient. The job in `emails` checks
the recipient.
"""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes.service import usable_code
from goodword.errors import Conflict, TooManyRequests
from goodword.jobs import service as jobs
from goodword.rate_limits import quotas
from goodword.services import Services
from goodword.users import addresses
from goodword.users.models import User

INVITATION = "invitation"
CODE_EMAIL = "code_email"
DAY = timedelta(days=1)
INVITATIONS_PER_DAY = 20
INVITATIONS_UNVERIFIED = 3
CODE_EMAILS_PER_HOUR = 5


class NoActiveCode(Conflict):
    code, detail = "no_active_code", "You have no usable code. Create or activate one first."


class TooManyEmails(TooManyRequests):
    code = "too_many_emails"
    detail = "You have requested too many e-mails. Try again later."


async def invite(
    session: AsyncSession, services: Services, sender: User, email: str, *, now: datetime
) -> None:
    """Enqueue an invitation by `sender`, whose row is locked. Raises `NoActiveCode` and `TooManyEmails`.

    The limit is lower for a sender without a verified address, because everyone can create such accounts.
    """
    if await usable_code(session, sender.id, now=now) is None:
        raise NoActiveCode
    is_trusted = sender.verified_at or services.settings.smtp_url is None
    limit = INVITATIONS_PER_DAY if is_trusted else INVITATIONS_UNVERIFIED
    scope = quotas.user_scope(INVITATION, sender.id)
    await quotas.charge(session, services, *scope, limit=limit, period=DAY, error=TooManyEmails)
    address = addresses.parse(email)
    payload = {"email": address.text, "email_key": address.key, "language": sender.language}
    jobs.enqueue(session, INVITATION, payload, user_id=sender.id, now=now)
    record(session, Action.EMAIL_REQUESTED, Subject.USER, sender.id, kind=INVITATION)


async def request_code_email(
    session: AsyncSession,
    services: Services,
    *,
    referrer_email: str,
    email: str,
    network: str | None,
    language: str,
    now: datetime,
) -> None:
    """Enqueue an e-mail to `email` with the code of the user with the other address. Raises `TooManyEmails`."""
    scope, limit, hour = (CODE_EMAIL, "from", network or "unknown"), CODE_EMAILS_PER_HOUR, timedelta(hours=1)
    await quotas.charge(session, services, *scope, limit=limit, period=hour, error=TooManyEmails)
    address = addresses.parse(email)
    payload = {"email": address.text, "email_key": address.key, "language": language}
    payload["referrer_key"] = addresses.parse(referrer_email).key
    jobs.enqueue(session, CODE_EMAIL, payload, now=now)
    record(session, Action.EMAIL_REQUESTED, Subject.NONE, kind=CODE_EMAIL)
