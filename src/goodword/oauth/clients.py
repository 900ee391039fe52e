"""Register, look up and authenticate OAuth clients."""

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus
from uuid import UUID

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.crypto import hmac_of
from goodword.db.database import Database
from goodword.db.statements import insert_if_absent
from goodword.oauth import scopes
from goodword.oauth.errors import ClientInvalid, InvalidClient, OAuthError
from goodword.oauth.models import OAuthClient
from goodword.oauth.redirect_uris import check_redirect_uri
from goodword.sessions.models import UserSession

PURPOSE = "oauth clients and codes"
"""Purpose of the key of the HMACs under which client secrets and codes are stored."""

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
DOCS = "goodword-docs"

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\])(?::(\d{1,5}))?((?:[/?].*)?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Client:
    """A client (RFC 6749 §2). Public if it has no secret (§2.1)."""

    id: UUID
    client_id: str
    name: str
    secret_mac: bytes | None
    redirect_uris: tuple[str, ...]
    scopes: frozenset[str]
    grant_types: frozenset[str]

    @property
    def is_public(self) -> bool:
        return self.secret_mac is None

    @property
    def is_built_in(self) -> bool:
        return self.client_id == DOCS

    @property
    def default_scopes(self) -> frozenset[str]:
        return self.scopes - scopes.ASKED_FOR_BY_NAME

    def allows(self, redirect_uri: str) -> bool:
        """Return whether a redirect URI is registered, compared as a string (RFC 9700 §4.1.3).

        The port of a loopback address may vary (RFC 8252 §7.3).
        """
        return redirect_uri in self.redirect_uris or self._may_listen_at(redirect_uri)

    def _may_listen_at(self, redirect_uri: str) -> bool:
        shown = _LOOPBACK.fullmatch(redirect_uri)
        if shown is None or not self.is_public or self.is_built_in or int(shown[2] or 80) > 65535:
            return False
        known = [_LOOPBACK.fullmatch(registered) for registered in self.redirect_uris]
        return any(one and (one[1], one[3]) == (shown[1], shown[3]) for one in known)

    def is_certain_at(self, redirect_uri: str) -> bool:
        """Return whether only this client can receive the response, so that an earlier consent may be reused.

        Any program on the user's machine can listen on a loopback address as a public client (RFC 8252 §8.6).
        """
        return not self.is_public or self.is_built_in or redirect_uri.startswith("https://")


def is_id(text: str) -> bool:
    """Return whether this has the form of a client id, so that a look-up makes sense."""
    return bool(_ID.fullmatch(text))


def documentation(public_url: str) -> Client:
    """Return the built-in client of the documentation page. It has no secret and gets no refresh token."""
    return Client(
        UUID("019aa000-0000-7000-8000-000000000d0c"),
        DOCS,
        "The API documentation of this service",
        None,
        (f"{public_url}/docs/oauth2-redirect",),
        frozenset(scopes.SCOPES) - {"offline_access"},
        frozenset({"authorization_code"}),
    )


class ClientRegistry:
    """Finds and authenticates clients."""

    def __init__(self, key: bytes, *, built_in: Client | None) -> None:
        self._key = key
        self._built_in = built_in

    async def find(self, database: Database, client_id: str) -> Client | None:
        """Return the client, or None if it is unknown or disabled."""
        if self._built_in and client_id == DOCS:
            return self._built_in
        if not is_id(client_id) or client_id == DOCS:
            return None
        row = await database.row(_BY_ID, client_id=client_id)
        return _client(row) if row else None

    async def identify(
        self, database: Database, authorization: str | None, form: Mapping[str, str]
    ) -> Client:
        """Return the authenticated client (RFC 6749 §2.3.1: Basic or form parameters; a public client by its id).

        Raises `InvalidClient`, and `OAuthError` for two methods at once.
        """
        client_id, secret = form.get("client_id"), form.get("client_secret")
        if authorization is not None:
            shown_id, shown_secret = _basic(authorization)
            if secret is not None or client_id not in (None, shown_id):
                raise OAuthError("invalid_request", "Authenticate once: by header or by parameters.")
            client_id, secret = shown_id, shown_secret
        client = await self.find(database, client_id) if client_id else None
        if client is None or (client.secret_mac is None) != (secret is None):
            raise InvalidClient
        if client.secret_mac is not None and secret is not None:
            shown = secret_mac(self._key, client.client_id, secret)
            if not hmac.compare_digest(shown, client.secret_mac):
                raise InvalidClient
        return client


async def keep_row(session: AsyncSession, client: Client, *, now: datetime) -> None:
    """Insert the row of the built-in client if it is missing: grants and codes refer to it."""
    if client.is_built_in:
        await insert_if_absent(
            session,
            OAuthClient,
            id=client.id,
            client_id=client.client_id,
            name=client.name,
            redirect_uris="\n".join(client.redirect_uris),
            scope=scopes.text(client.scopes),
            grant_types=" ".join(client.grant_types),
            created_at=now,
        )


async def register(
    session: AsyncSession,
    key: bytes,
    *,
    name: str,
    redirect_uris: Sequence[str],
    scope: Collection[str],
    grant_types: Collection[str],
    public: bool,
    now: datetime,
) -> tuple[OAuthClient, str | None]:
    """Register a client and return its secret, which is not stored. Raises `ClientInvalid`."""
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise ClientInvalid("A name has 1 to 100 visible characters: people will read it.")
    if unknown := set(scope) - set(scopes.SCOPES):
        raise ClientInvalid(
            f"No such scope: {', '.join(sorted(unknown))}. There are: {', '.join(scopes.SCOPES)}."
        )
    if unknown := set(grant_types) - set(GRANT_TYPES):
        raise ClientInvalid(
            f"No such grant: {', '.join(sorted(unknown))}. There are: {', '.join(GRANT_TYPES)}."
        )
    if public and "client_credentials" in grant_types:
        raise ClientInvalid("A public app has no credentials: it cannot use client_credentials.")
    if ("refresh_token" in grant_types) != ("offline_access" in scope):
        raise ClientInvalid("The scope offline_access and the grant refresh_token go together.")
    if ("authorization_code" in grant_types) != bool(redirect_uris):
        raise ClientInvalid("The grant authorization_code and a redirect URI go together.")
    for uri in redirect_uris:
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
        created_at=now,
    )
    session.add(client)
    await session.flush()
    record(session, Action.CLIENT_MADE, Subject.CLIENT, client.id, client=client_id)
    return client, secret


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


def secret_mac(key: bytes, client_id: str, secret: str) -> bytes:
    """Return the stored form of a secret. An HMAC is enough: the secret is 256 random bits."""
    return hmac_of(key, b"client secret", client_id.encode(), secret.encode())


def _basic(authorization: str) -> tuple[str, str | None]:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient
    try:
        text = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidClient from None
    client_id, colon, secret = text.partition(":")
    if not colon:
        raise InvalidClient
    # The parts are form-encoded before they are joined (RFC 6749 §2.3.1).
    return unquote_plus(client_id), unquote_plus(secret) or None


def _client(row: Row[Any]) -> Client:
    return Client(
        row.id,
        row.client_id,
        row.name,
        row.secret_mac,
        tuple(row.redirect_uris.split()),
        frozenset(row.scope.split()),
        frozenset(row.grant_types.split()),
    )


_BY_ID = select(OAuthClient.__table__).where(
    OAuthClient.client_id == bindparam("client_id"), OAuthClient.disabled_at.is_(None)
)
