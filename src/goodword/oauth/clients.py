"""Look up and authenticate OAuth clients."""

import base64
import binascii
import hmac
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus
from uuid import UUID

from sqlalchemy import Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.cache.lookup_cache import HERE
from goodword.crypto import hmac_of
from goodword.db.database import Database
from goodword.db.statements import insert_if_absent
from goodword.oauth import scopes
from goodword.oauth.errors import InvalidClient, OAuthError
from goodword.oauth.models import OAuthClient
from goodword.oauth.redirect_uris import is_registered
from goodword.sessions.keys import RS256

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
DOCS = "goodword-docs"

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


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
    pkce_required: bool = True
    id_token_alg: str = RS256
    claims_in_id_token: bool = False
    """Whether ID tokens have the claims of the granted scopes, without a `claims` parameter."""
    post_logout_redirect_uris: tuple[str, ...] = ()

    @property
    def is_public(self) -> bool:
        return self.secret_mac is None

    @property
    def is_built_in(self) -> bool:
        return self.client_id == DOCS

    @property
    def user_scopes(self) -> frozenset[str]:
        """The scopes that it may request from a user."""
        return self.scopes & scopes.SCOPES.keys()

    @property
    def default_scopes(self) -> frozenset[str]:
        return self.user_scopes - scopes.NOT_DEFAULT

    def allows(self, redirect_uri: str) -> bool:
        """Return whether responses to an authorization request may be sent there."""
        return is_registered(redirect_uri, self.redirect_uris, any_port=self._is_native)

    def allows_after_logout(self, redirect_uri: str) -> bool:
        """Return whether the browser may be sent there after a logout."""
        return is_registered(redirect_uri, self.post_logout_redirect_uris, any_port=self._is_native)

    @property
    def _is_native(self) -> bool:
        return self.is_public and not self.is_built_in

    def is_certain_at(self, redirect_uri: str) -> bool:
        """Return whether only this client can receive the response, so that an earlier consent may be reused.

        Any program on the user's machine can listen on a loopback address as a public client (RFC 8252 §8.6).
        """
        return not self.is_public or self.is_built_in or redirect_uri.startswith("https://")


def cache_key(client_id: str) -> str:
    """Return the cache key that invalidates what is cached about a client."""
    return f"{HERE}oauth-client:{client_id}"


def is_id(text: str) -> bool:
    """Return whether this has the form of a client id, so that a look-up makes sense."""
    return bool(_ID.fullmatch(text))


def default_grants(chosen: Collection[str]) -> list[str]:
    """Return the grant types that these scopes need."""
    needed = {
        "authorization_code": bool(scopes.SCOPES.keys() & set(chosen)),
        "refresh_token": "offline_access" in chosen,
        "client_credentials": bool(scopes.SERVER_SCOPES.keys() & set(chosen)),
    }
    return [grant for grant, is_needed in needed.items() if is_needed]


def documentation(public_url: str) -> Client:
    """Return the built-in client of the documentation page. It has no secret and gets no refresh token."""
    return Client(
        UUID("019aa000-0000-7000-8000-000000000d0c"),
        DOCS,
        "The API documentation of this service",
        None,
        (f"{public_url}/docs/oauth2-redirect",),
        frozenset(scopes.DOCUMENTATION),
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
        row = await database.row(BY_ID, client_id=client_id)
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
        row.pkce_required,
        row.id_token_alg,
        row.claims_in_id_token,
        tuple(row.post_logout_redirect_uris.split()),
    )


BY_ID = select(OAuthClient.__table__).where(
    OAuthClient.client_id == bindparam("client_id"), OAuthClient.disabled_at.is_(None)
)
