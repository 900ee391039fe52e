"""Register, list, change and disable OAuth clients."""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.db.transaction_hooks import invalidate
from goodword.oauth import scopes
from goodword.oauth.clients import DOCS, GRANT_TYPES, cache_key, secret_mac
from goodword.oauth.errors import ClientInvalid
from goodword.oauth.models import OAuthClient
from goodword.oauth.redirect_uris import check_redirect_uri
from goodword.sessions.keys import RS256
from goodword.sessions.models import UserSession


async def register(
    session: AsyncSession,
    key: bytes,
    *,
    name: str,
    redirect_uris: Sequence[str],
    scope: Collection[str],
    grant_types: Collection[str],
    public: bool,
    pkce_required: bool = True,
    id_token_alg: str = RS256,
    claims_in_id_token: bool = False,
    post_logout_redirect_uris: Sequence[str] = (),
    now: datetime,
) -> tuple[OAuthClient, str | None]:
    """Register a client and return its secret, which is not stored. Raises `ClientInvalid`."""
    _check(name, scope, grant_types, has_redirect_uri=bool(redirect_uris), public=public)
    if public and not pkce_required:
        raise ClientInvalid("A public app has no secret: it must use PKCE.")
    for uri in (*redirect_uris, *post_logout_redirect_uris):
        check_redirect_uri(uri, public=public)
    secret = None if public else new_secret()
    client_id = f"gwc_{secrets.token_hex(12)}"
    client = OAuthClient(
        client_id=client_id,
        name=name,
        secret_mac=secret_mac(key, client_id, secret) if secret else None,
        redirect_uris="\n".join(redirect_uris),
        scope=scopes.text(scope),
        grant_types=" ".join(grant for grant in GRANT_TYPES if grant in grant_types),
        pkce_required=pkce_required,
        id_token_alg=id_token_alg,
        claims_in_id_token=claims_in_id_token,
        post_logout_redirect_uris="\n".join(post_logout_redirect_uris),
        created_at=now,
    )
    session.add(client)
    await session.flush()
    record(session, Action.CLIENT_MADE, Subject.CLIENT, client.id, client=client_id)
    return client, secret


def _check(
    name: str,
    scope: Collection[str],
    grant_types: Collection[str],
    *,
    has_redirect_uri: bool,
    public: bool,
) -> None:
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise ClientInvalid("A name has 1 to 100 visible characters: people will read it.")
    if unknown := set(scope) - set(scopes.ALL):
        raise ClientInvalid(
            f"No such scope: {', '.join(sorted(unknown))}. There are: {', '.join(scopes.ALL)}."
        )
    if unknown := set(grant_types) - set(GRANT_TYPES):
        raise ClientInvalid(
            f"No such grant: {', '.join(sorted(unknown))}. There are: {', '.join(GRANT_TYPES)}."
        )
    if set(scope) & scopes.SERVER_SCOPES.keys() and "client_credentials" not in grant_types:
        raise ClientInvalid("The scopes of servers need the grant client_credentials.")
    if public and "client_credentials" in grant_types:
        raise ClientInvalid("A public app has no credentials: it cannot use client_credentials.")
    if ("refresh_token" in grant_types) != ("offline_access" in scope):
        raise ClientInvalid("The scope offline_access and the grant refresh_token go together.")
    if ("authorization_code" in grant_types) != has_redirect_uri:
        raise ClientInvalid("The grant authorization_code and a redirect URI go together.")


async def list_clients(session: AsyncSession) -> Sequence[OAuthClient]:
    return (await session.scalars(select(OAuthClient).order_by(OAuthClient.id))).all()


async def rotate(session: AsyncSession, key: bytes, client_id: str) -> str | None:
    """Replace the secret and return the new one, or None for an unknown or public client."""
    secret = new_secret()
    changed = await session.scalar(
        update(OAuthClient)
        .where(OAuthClient.client_id == client_id, OAuthClient.secret_mac.is_not(None))
        .values(secret_mac=secret_mac(key, client_id, secret))
        .returning(OAuthClient.id)
    )
    if changed is None:
        return None
    record(session, Action.CLIENT_SECRET_ROTATED, Subject.CLIENT, changed, client=client_id)
    return secret


async def disable(session: AsyncSession, client_id: str, *, now: datetime) -> bool:
    """Disable a client at once. Return False if it is unknown.

    The built-in client is disabled together with its page, by `DOCS=off`.
    """
    changed = await session.scalar(
        update(OAuthClient)
        .where(OAuthClient.client_id == client_id, OAuthClient.client_id != DOCS)
        .values(disabled_at=now)
        .returning(OAuthClient.id)
    )
    if changed:
        invalidate(session, cache_key(client_id))
        record(session, Action.CLIENT_DISABLED, Subject.CLIENT, changed, client=client_id)
        ended = {"revoked_at": now, "revoked_reason": "app_disabled"}
        await session.execute(
            update(UserSession)
            .where(UserSession.client == client_id, UserSession.revoked_at.is_(None))
            .values(ended)
        )
    return changed is not None


def new_secret() -> str:
    return f"gws_{secrets.token_urlsafe(32)}"
