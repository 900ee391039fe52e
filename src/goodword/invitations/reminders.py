"""The recurring job that reminds users of codes which expire in three days, once for each term of a code."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.codes.models import ReferralCode, in_running_program, usable
from goodword.db.keyset import keyset_order
from goodword.invitations.emails import SEND_EMAIL
from goodword.jobs import service as jobs
from goodword.jobs.service import ClaimedJob
from goodword.jobs.worker import Handler
from goodword.mail.messages import MessageKind
from goodword.services import Services
from goodword.users.models import User, UserStatus

KIND = "remind_of_expiring_codes"
NOTICE = timedelta(days=3)
BATCH_SIZE = 500


async def remind(services: Services, _job: ClaimedJob) -> None:
    """Enqueue an e-mail for each code that expires within three days.

    The slot of its job, which is kept for longer, makes it one for each term. A code that was made for a shorter
    term needs none.
    """
    now, after = services.clock(), None
    while True:
        query = keyset_order(_expiring(now), _KEY, after=after, descending=False).limit(BATCH_SIZE)
        async with services.database.transaction() as session:
            rows = (await session.execute(query)).all()
            for row in rows:
                if row.expires_at - row.created_at > NOTICE:
                    await _remind(session, row, now=now)
        if len(rows) < BATCH_SIZE:
            break
        after = (rows[-1].expires_at, rows[-1].id)


def _expiring(now: datetime) -> Any:
    """Return the query for the codes, by the index for the administrators' list."""
    return (
        select(
            *_KEY, ReferralCode.created_at, ReferralCode.owner_id, User.email, User.email_key, User.language
        )
        .join(User, User.id == ReferralCode.owner_id)
        .where(
            usable(now),
            in_running_program(now),
            ReferralCode.expires_at <= now + NOTICE,
            User.status == UserStatus.ACTIVE,
            User.email.is_not(None),
        )
    )


async def _remind(session: AsyncSession, code: Row[Any], *, now: datetime) -> None:
    ends, kind = code.expires_at.isoformat(), MessageKind.CODE_EXPIRING
    address = {"email": code.email, "email_key": code.email_key, "language": code.language}
    payload = {"message": kind, "expires_at": ends, **address}
    slot = f"{kind} {code.id} {ends}"
    await jobs.enqueue_once(session, SEND_EMAIL, payload, slot=slot, user_id=code.owner_id, now=now)


HANDLERS: Mapping[str, Handler] = {KIND: remind}
PERIODIC_TASKS = {KIND: timedelta(hours=1)}
_KEY = (ReferralCode.expires_at, ReferralCode.id)
