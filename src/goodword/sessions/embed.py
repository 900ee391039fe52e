"""Tokens of embeds: a page of a product shows a person's codes and referrals with one."""

from datetime import datetime

from sqlalchemy import bindparam, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.services import Services
from goodword.sessions import service
from goodword.sessions.models import UserSession
from goodword.sessions.service import ClientInfo
from goodword.sessions.tokens import EMBED, EMBED_LIFETIME
from goodword.users.models import User


async def issue(session: AsyncSession, services: Services, user: User, *, now: datetime) -> str:
    """Return an access token for an embed of `user`, who is locked and active.

    The tokens of a person share one session, whose end each of them postpones.
    """
    end = now + EMBED_LIFETIME
    found = await session.scalar(_EXTEND, {"owner_id": user.id, "now": now, "end": end})
    if found is None:
        created = await service.create(
            session,
            user,
            client=EMBED,
            scope=EMBED,
            client_info=ClientInfo(),
            now=now,
            lifetime=EMBED_LIFETIME,
        )
        found = created.id
    return services.access_tokens.sign(
        user_id=user.id, session_id=found, client=EMBED, scope=EMBED, now=now, lifetime=EMBED_LIFETIME
    )


_TIME = UserSession.created_at.type
_EXTEND = (
    update(UserSession)
    .where(
        UserSession.user_id == bindparam("owner_id"),
        UserSession.client == EMBED,
        UserSession.revoked_at.is_(None),
    )
    .values(
        rotated_at=bindparam("now", type_=_TIME),
        idle_expires_at=bindparam("end", type_=_TIME),
        expires_at=bindparam("end", type_=_TIME),
    )
    .returning(UserSession.id)
    .execution_options(synchronize_session=False)
)
