"""Personal data: sessions, and counts of failed sign-ins."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.personal_data import DataSubject, Kept, PersonalData, delete_rows, rows_of
from goodword.services import Services
from goodword.sessions import service
from goodword.sessions.models import LoginFailures, SeenClient, UserSession

_FIELDS = (
    "id client scope device place created_at rotated_at idle_expires_at expires_at revoked_at revoked_reason"
)


async def _erase(session: AsyncSession, services: Services, subject: DataSubject) -> None:
    await service.revoke_all(session, subject.user_id, why="erased", now=services.clock())
    # The rows stay, for the tokens that reference them.
    own = UserSession.user_id == subject.user_id
    await session.execute(update(UserSession).where(own).values(device=None, place=None))


async def _login_failures(
    session: AsyncSession, services: Services, subject: DataSubject
) -> Sequence[Mapping[str, Any]]:
    # Without the networks: they are the addresses of the clients that failed, who may be strangers.
    throttle = services.login_throttle
    attempts = [throttle.attempt_of(subject.user_id, None)]
    if subject.email is not None:
        attempts.insert(0, throttle.attempt(subject.email, None))
    return [
        {"failures": row.failures, "last_at": row.last_at}
        for attempt in attempts
        for row in await throttle.of(session, attempt)
    ]


PERSONAL_DATA = (
    PersonalData(model=UserSession, erase=_erase, export={"sessions": rows_of(UserSession, _FIELDS)}),
    PersonalData(
        model=SeenClient,
        erase=delete_rows(SeenClient),
        export={"seen_clients": rows_of(SeenClient, "created_at")},
    ),
    PersonalData(
        model=LoginFailures,
        erase=Kept(
            "Counts of a keyed hash, deleted after a day. They protect a new account with the address."
        ),
        export={"wrong_passwords": _login_failures},
    ),
)
