"""Letters that tell somebody what happened to their account: asked for where it happens."""

import uuid
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.jobs import service as jobs
from goodword.mail.messages import MessageKind

KIND = "notice"
FRIEND_JOINED = "friend_joined"


def notify(
    session: AsyncSession,
    user_id: uuid.UUID,
    letter: MessageKind,
    *,
    now: datetime,
    email: str | None = None,
) -> None:
    """Send a letter when this transaction is committed: to `email`, or else to the account's address then."""
    payload = {"letter": letter} | ({"email": email} if email else {})
    jobs.enqueue(session, KIND, payload, user_id=user_id, now=now)
