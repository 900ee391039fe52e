"""Asking for a letter to somebody: what may be asked, which tells nothing about whom it is for.

Whether it is sent is decided by the job, in `letters`: here only what concerns the one who asks is looked at.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes.service import usable_code
from goodword.errors import Conflict, TooManyRequests
from goodword.jobs import service as jobs
from goodword.mail import quotas
from goodword.mail.quotas import QuotaUsedUp
from goodword.users import addresses
from goodword.users.models import User

INVITATION = "invitation"
CODE_EMAIL = "code_email"
DAY = timedelta(days=1)
INVITATIONS_PER_DAY = 20
INVITATIONS_UNVERIFIED = 3
CODE_EMAILS_PER_HOUR = 5


class NoActiveCode(Conflict):
    code, detail = "no_active_code", "You have no code that works now. Create or activate one first."


class TooManyEmails(TooManyRequests):
    code = "too_many_emails"
    detail = "As many letters went out as you may ask for. Try again later."


@dataclass(frozen=True, slots=True)
class EmailQuotas:
    """How often one may ask. `on` is the setting RATE_LIMITS; what guards the recipients is always on."""

    key: bytes
    on: bool

    async def take(
        self, session: AsyncSession, *scope: str, limit: int, period: timedelta, now: datetime
    ) -> None:
        if not self.on:
            return
        try:
            await quotas.take(session, self.key, *scope, limit=limit, period=period, now=now)
        except QuotaUsedUp as used_up:
            wait = math.ceil((used_up.ends_at - now).total_seconds())
            raise TooManyEmails(headers={"Retry-After": str(wait)}) from None


async def invite(
    session: AsyncSession,
    sender: User,
    email: str,
    *,
    limits: EmailQuotas,
    mailing: bool,
    language: str,
    now: datetime,
) -> None:
    """Have `sender`, who is locked, invite somebody with their code. Raises `NoCodeInForce`, `TooManyLetters`.

    Who has not shown that their own address is theirs may send a few a day: an account costs nothing.
    """
    if await usable_code(session, sender.id, now=now) is None:
        raise NoActiveCode
    limit = INVITATIONS_PER_DAY if sender.verified_at or not mailing else INVITATIONS_UNVERIFIED
    await limits.take(session, INVITATION, "from", str(sender.id), limit=limit, period=DAY, now=now)
    address = addresses.parse(email)
    payload = {"email": address.text, "email_key": address.key, "language": language}
    jobs.enqueue(session, INVITATION, payload, user_id=sender.id, now=now)
    record(session, Action.EMAIL_REQUESTED, Subject.USER, sender.id, letter=INVITATION)


async def request_code_email(
    session: AsyncSession,
    *,
    referrer_email: str,
    email: str,
    network: str | None,
    limits: EmailQuotas,
    language: str,
    now: datetime,
) -> None:
    """Have the code of the person with an address sent to one's own. Raises `TooManyLetters`."""
    network = network or "unknown"
    await limits.take(
        session, CODE_EMAIL, "from", network, limit=CODE_EMAILS_PER_HOUR, period=timedelta(hours=1), now=now
    )
    address = addresses.parse(email)
    payload = {"email": address.text, "email_key": address.key, "language": language}
    payload["referrer_key"] = addresses.parse(referrer_email).key
    jobs.enqueue(session, CODE_EMAIL, payload, now=now)
    record(session, Action.EMAIL_REQUESTED, Subject.NOBODY, letter=CODE_EMAIL)
