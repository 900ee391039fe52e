"""Look up a token of a client, for revocation (RFC 7009) and introspection (RFC 7662)."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select

from goodword.db.database import Database
from goodword.errors import TokenInvalid
from goodword.oauth.clients import Client
from goodword.sessions.models import UserSession
from goodword.sessions.tokens import AccessTokens, NoUser, RefreshTokens
from goodword.users.models import User, UserStatus


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token of a client: of a user's session with it, or of the client itself."""

    session_id: uuid.UUID | None
    subject: str
    token_type: str | None
    scopes: frozenset[str]
    issued_at: int | None
    expires_at: int
    is_active: bool


async def find(
    database: Database,
    access_tokens: AccessTokens,
    refresh_tokens: RefreshTokens,
    client: Client,
    token: str,
    *,
    now: datetime,
) -> TokenInfo | None:
    """Return a token of this client, active or used. Another client's token is treated as unknown."""
    refresh = refresh_tokens.read(token)
    if refresh is not None:
        row = await database.row(_SESSION, session_id=refresh.session_id)
        if row is None or row.client != client.client_id:
            return None
        is_active = _is_active(row, now) and refresh.counter == row.counter
        scopes, until = frozenset(row.scope.split()), min(row.expires_at, row.idle_expires_at)
        return TokenInfo(row.id, str(row.user_id), None, scopes, None, int(until.timestamp()), is_active)
    try:
        claims = await access_tokens.verify(token, now=now)
    except NoUser as error:
        own = error.claims
        if own.client != client.client_id:
            return None
        return TokenInfo(
            None, own.client, "Bearer", own.scopes, own.issued_at, own.expires_at, is_active=True
        )
    except TokenInvalid:
        return None
    row = await database.row(_SESSION, session_id=claims.session_id)
    if row is None or row.client != client.client_id:
        return None
    return TokenInfo(
        row.id,
        str(row.user_id),
        "Bearer",
        claims.scopes,
        claims.issued_at,
        claims.expires_at,
        _is_active(row, now),
    )


def _is_active(row: Row[Any], now: datetime) -> bool:
    until = min(row.expires_at, row.idle_expires_at)
    return bool(row.revoked_at is None and row.status == UserStatus.ACTIVE and now < until)


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
