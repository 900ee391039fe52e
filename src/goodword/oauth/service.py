"""Exchange authorization codes for sessions, and list and revoke authorized apps."""

import base64
import hashlib
import hmac
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Row, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.db.keyset import keyset_page
from goodword.db.personal_data import delete_rows_of
from goodword.db.transaction_hooks import commit_before_error
from goodword.errors import NotFound, TokenInvalid
from goodword.oauth import clients, scopes
from goodword.oauth.claims import claims_of
from goodword.oauth.clients import Client
from goodword.oauth.consents import code_mac
from goodword.oauth.errors import InvalidGrant, OAuthError
from goodword.oauth.models import OAuthClient, OAuthCode, OAuthGrant
from goodword.sessions import service as sessions
from goodword.sessions.models import UserSession
from goodword.sessions.service import ClientInfo
from goodword.sessions.tokens import GRACE, RefreshTokens
from goodword.users import service as users
from goodword.users.models import User

NO_GRACE = timedelta(0)

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class AppNotFound(NotFound):
    code, detail = "app_not_found", "You have not authorized this app."


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A session of an app, and what its ID token says about the sign-in."""

    sign_in: UserSession
    nonce: str | None
    signed_in_at: datetime
    id_token_claims: Mapping[str, str | bool]


async def exchange(
    session: AsyncSession,
    key: bytes,
    client: Client,
    *,
    code: str,
    redirect_uri: str,
    verifier: str | None,
    client_info: ClientInfo,
    access_lifetime: int,
    now: datetime,
) -> Exchanged:
    """Exchange a code for a session (RFC 6749 §4.1.3, RFC 7636 §4.6). Raises `OAuthError`.

    A replayed code ends the session that it was exchanged for. The client is read again and locked until the
    commit, so that `clients.disable` ends the new session too.
    """
    if verifier is None and client.pkce_required:
        raise OAuthError("invalid_request", "code_verifier is missing.")
    if verifier is not None and not _VERIFIER.fullmatch(verifier):
        raise OAuthError("invalid_request", "code_verifier has 43 to 128 unreserved characters.")
    refusal = InvalidGrant("The code is invalid, used or expired, or belongs to another request.")
    by_code = OAuthCode.code_mac == code_mac(key, code)
    owner = await session.scalar(select(OAuthCode.user_id).where(by_code, OAuthCode.client_id == client.id))
    if owner is None:
        raise refusal
    try:
        user = await users.lock(session, owner)  # concurrent replays of the code wait here
    except TokenInvalid:
        raise refusal from None
    found = await session.scalar(
        select(OAuthCode)
        .join(OAuthClient, OAuthClient.id == OAuthCode.client_id)
        .where(by_code, OAuthClient.disabled_at.is_(None))
        .with_for_update(read=True, of=OAuthClient)
    )
    if found is None:
        raise refusal
    if found.used_at is not None:
        if found.session_id is not None:
            await sessions.revoke_one(session, found.session_id, why="code_replayed", now=now)
            await commit_before_error(session)
        raise refusal
    begun_in = await session.get(UserSession, found.browser_session_id)
    if (
        now >= found.expires_at
        or not hmac.compare_digest(found.redirect_uri.encode(), redirect_uri.encode())
        or not hmac.compare_digest(found.code_challenge.encode(), _challenge(verifier))
        or begun_in is None
        or not begun_in.is_live(now)
    ):
        raise refusal
    sign_in = await sessions.create(
        session, user, client=client.client_id, scope=found.scope, client_info=client_info, now=now
    )
    if not may_refresh(client, found.scope):  # it ends with its only access token
        sign_in.expires_at = sign_in.idle_expires_at = now + timedelta(seconds=access_lifetime)
    found.used_at, found.session_id = now, sign_in.id
    await session.flush()
    return Exchanged(sign_in, found.nonce, found.signed_in_at, _id_token_claims(client, found, user))


def may_refresh(client: Client, scope: str) -> bool:
    return "offline_access" in scope.split() and "refresh_token" in client.grant_types


async def refresh(
    session: AsyncSession,
    tokens: RefreshTokens,
    client: Client,
    *,
    token: str,
    scope: str | None,
    now: datetime,
) -> tuple[UserSession, str]:
    """Rotate the refresh token. Return the session and the scope of the access token (RFC 6749 §6).

    A second use of one token ends the session (RFC 9700 §4.14.2), for a public client after the grace period of
    our own sessions: two tabs of a browser can refresh at once.
    """
    grace = GRACE if client.is_public else NO_GRACE
    try:
        sign_in = await sessions.refresh(
            session, tokens, token, client=client.client_id, grace=grace, now=now
        )
    except sessions.RefreshRefused:
        raise InvalidGrant("The refresh token is invalid, used or expired.") from None
    granted = frozenset(sign_in.scope.split())
    asked = granted if scope is None else scopes.known(scope)
    if not asked or not asked <= granted:
        raise OAuthError("invalid_scope", "The scope is more than was granted, or empty.")
    return sign_in, scopes.text(asked)


def client_scope(client: Client, asked: str | None) -> str:
    """Return the scopes of a client that acts on its own behalf. Raises `OAuthError`."""
    possible = client.scopes - scopes.NEED_USER
    chosen = possible - scopes.NOT_DEFAULT if asked is None else scopes.known(asked)
    if not chosen <= possible or (asked is not None and not chosen):
        raise OAuthError(
            "invalid_scope", "The scope is more than this app may have on its own behalf, or empty."
        )
    return scopes.text(chosen)


async def list_apps(
    session: AsyncSession,
    user_id: uuid.UUID,
    *,
    after: tuple[datetime, uuid.UUID] | None = None,
    limit: int = 100,
) -> Sequence[Row[str, str, str, datetime, uuid.UUID]]:
    """Return a user's authorized apps, the latest first: at most one more than `limit`."""
    position = (OAuthGrant.created_at, OAuthGrant.id)
    query = (
        select(
            OAuthClient.client_id, OAuthClient.name, OAuthGrant.scope, OAuthGrant.created_at, OAuthGrant.id
        )
        .join(OAuthClient, OAuthClient.id == OAuthGrant.client_id)
        .where(OAuthGrant.user_id == user_id)
    )
    query = keyset_page(query, position, after=after, limit=limit)
    return (await session.execute(query)).all()


async def revoke_access(session: AsyncSession, user_id: uuid.UUID, client_id: str, *, now: datetime) -> None:
    """Revoke an app's access, with its tokens and codes. Raises `AppNotFound`."""
    if not clients.is_id(client_id):
        raise AppNotFound
    await users.lock(session, user_id)
    row_id = await session.scalar(select(OAuthClient.id).where(OAuthClient.client_id == client_id))
    place = {"user_id": user_id, "client_id": row_id}
    gone = await session.scalar(delete(OAuthGrant).filter_by(**place).returning(OAuthGrant.id))
    if gone is None:
        raise AppNotFound
    await session.execute(delete(OAuthCode).filter_by(**place))
    record(session, Action.GRANT_REVOKED, Subject.CLIENT, row_id, person=user_id, client=client_id)
    await sessions.revoke_all(session, user_id, why="app_shut_out", now=now, client=client_id)


async def forget(session: AsyncSession, user_id: uuid.UUID) -> None:
    """Delete a user's consents and codes."""
    for model in (OAuthCode, OAuthGrant):
        await delete_rows_of(session, model, user_id)


def _id_token_claims(client: Client, code: OAuthCode, user: User) -> dict[str, str | bool]:
    wanted = scopes.CLAIMS if client.claims_in_id_token else code.id_token_claims.split()
    return {name: value for name, value in claims_of(user, code.scope.split()).items() if name in wanted}


def _challenge(verifier: str | None) -> bytes:
    if verifier is None:
        return b""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=")
