"""Look up a token of a client, for revocation (RFC 7009) and introspection (RFC 7662)."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select

from goodword.db.database import Database
from goodword.errors import TokenInvalid
from goodword.oauth.clients import Client
from goodword.sessions.models import UserSession
from goodword.sessions.tokens import AccessTokens, RefreshTokens
from goodword.users.models import User, UserStatus


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """A token of a client, and its session."""

    session_id: uuid.UUID
    user_id: uuid.UUID
    kind: str | None
    scopes: frozenset[str]
    issued_at: int | None
    expires_at: int
    is_good: bool


async def find(
    database: Database,
    access_tokens: AccessTokens,
    refresh_tokens: RefreshTokens,
    client: Client,
    token: str,
    *,
    now: datetime,
) -> TokenOwner | None:
    """Return a token of this client, active or used. Another client's token is treated as unknown."""
    refresh = refresh_tokens.read(token)
    claims = None
    if refresh is None:
        try:
            claims = access_tokens.verify(token, now=now)
        except TokenInvalid:
            return None
    session_id = refresh.session_id if refresh else claims.session_id if claims else None
    row = await database.row(_SESSION, session_id=session_id)
    if row is None or row.client != client.client_id:
        return None
    until = min(row.expires_at, row.idle_expires_at)
    is_on = row.revoked_at is None and row.status == UserStatus.ACTIVE and now < until
    if claims:
        return TokenOwner(
            row.id,
            row.user_id,
            "Bearer",
            claims.scopes,
            claims.issued_at,
            claims.expires_at,
            is_on,
        )
    is_current = refresh is not None and refresh.counter == row.counter
    return TokenOwner(
        row.id,
        row.user_id,
        None,
        frozenset(row.scope.split()),
        None,
        int(until.timestamp()),
        is_on and is_current,
    )


_SESSION = (
    select(
        UserSession.id,
        UserSession.user_id,
        UserSession.client,
        UserSession.counter,
        UserSession.scope,
        UserSession.expires_at,
        UserSession.idle_expires_at,
        UserSession.revoked_at,
        User.status,
    )
    .join(User, User.id == UserSession.user_id)
    .where(UserSession.id == bindparam("session_id"))
)
