"""Notifications of users about their own accounts."""

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
    kind: MessageKind,
    *,
    now: datetime,
    email: str | None = None,
    path: str | None = None,
) -> None:
    """Send a message after the commit, to `email` or else to the address that the account has then.

    Its link leads to `path` of this service, or else where messages of the kind lead.
    """
    payload = {"message": kind} | ({"email": email} if email else {}) | ({"path": path} if path else {})
    jobs.enqueue(session, KIND, payload, user_id=user_id, now=now)
