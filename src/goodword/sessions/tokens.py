"""Access tokens (JWT) and refresh tokens (opaque), without the database."""

import uuid
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from sys import intern
from typing import NamedTuple

from joserfc import jws, jwt
from joserfc.errors import JoseError
from uuid_utils.compat import uuid7

from goodword.crypto import Signer
from goodword.errors import TokenInvalid
from goodword.sessions.keys import ES256, Key, SigningKeys

CLIENT = "goodword"
"""The `client_id` of our own sign-ins (required by RFC 9068 §2.2)."""

EMBED = "embed"
"""The `client_id` and the scope of the tokens of embeds. They open three lists of the person and nothing else."""
EMBED_LIFETIME = timedelta(minutes=10)

MAX_LENGTH = 4096
REMEMBERED = 10_000
LEEWAY = 60
"""Seconds that the clock of another node may be ahead."""

CLAIMS = ("iss", "aud", "sub", "client_id", "iat", "exp", "jti", "scope")


@dataclass(frozen=True, slots=True)
class Claims:
    user_id: uuid.UUID
    session_id: uuid.UUID
    session: str
    """The session id as text, converted once for all requests."""
    client: str
    scopes: frozenset[str]
    issued_at: int
    expires_at: int
    key_id: str


@dataclass(frozen=True, slots=True)
class ClientClaims:
    """Of an access token of a client itself (RFC 6749 §4.4), without user and session."""

    client: str
    scopes: frozenset[str]
    issued_at: int
    expires_at: int
    key_id: str


@lru_cache(256)  # thousands of tokens have the same few scopes
def _scopes(text: str) -> frozenset[str]:
    return frozenset(text.split())


class NoUser(TokenInvalid):
    """A valid access token of a client itself."""

    def __init__(self, claims: ClientClaims) -> None:
        super().__init__()
        self.claims = claims


class UnknownKey(TokenInvalid):
    """The signing key is unknown to this process. Another process may have just created it."""


class AccessTokens:
    """Signs and verifies access tokens in the profile of RFC 9068."""

    def __init__(self, keys: SigningKeys, *, issuer: str, lifetime: int) -> None:
        self._keys, self._issuer, self.lifetime = keys, issuer, lifetime
        self._registry = jws.JWSRegistry(algorithms=[ES256])
        # Verified signatures by token, the oldest evicted first: a signature takes longer to verify than the rest of
        # a read. Expiry, keys and sessions are checked for each request.
        self._verified: OrderedDict[str, Claims | ClientClaims] = OrderedDict()

    def sign(
        self,
        *,
        user_id: uuid.UUID,
        session_id: uuid.UUID,
        client: str,
        scope: str,
        now: datetime,
        lifetime: timedelta | None = None,
    ) -> str:
        issued = int(now.timestamp())
        seconds = self.lifetime if lifetime is None else int(lifetime.total_seconds())
        key = self._keys.signing_key(ES256)
        return jwt.encode(
            {"alg": ES256, "typ": "at+jwt", "kid": key.kid},
            {
                "iss": self._issuer,
                "aud": self._issuer,
                "sub": str(user_id),
                "sid": str(session_id),
                "client_id": client,
                "iat": issued,
                "exp": issued + seconds,
                "jti": str(uuid7()),
                "scope": scope,
            },
            key,
            registry=self._registry,
        )

    async def verify(self, token: str, *, now: datetime) -> Claims:
        """Return the claims of a valid token. Raises `TokenInvalid`, and `NoUser` for a client's own token."""
        try:
            return self.verify_by_loaded_keys(token, now=now)
        except UnknownKey:
            await self._keys.look_again()
            return self.verify_by_loaded_keys(token, now=now)

    def verify_by_loaded_keys(self, token: str, *, now: datetime) -> Claims:
        """Verify like `verify`, but raise `UnknownKey` for a key that another process may have just created."""
        if len(token) > MAX_LENGTH:
            raise TokenInvalid
        claims = self._verified.get(token)
        if claims is None:
            claims = self._verified[token] = self._check(token)
            self._remove_oldest(now.timestamp())
        if (
            self._keys.find(claims.key_id, ES256) is None
            or not claims.issued_at - LEEWAY <= now.timestamp() < claims.expires_at
        ):
            raise TokenInvalid
        if isinstance(claims, ClientClaims):
            raise NoUser(claims)
        return claims

    def _remove_oldest(self, now: float) -> None:
        while self._verified:
            oldest = next(iter(self._verified.values()))
            if len(self._verified) <= REMEMBERED and now < oldest.expires_at:
                return
            self._verified.popitem(last=False)

    def _check(self, token: str) -> Claims | ClientClaims:
        try:
            found = jwt.decode(token, self._key, algorithms=[ES256], registry=self._registry)
            claims = found.claims
            if found.header.get("typ") != "at+jwt" or any(name not in claims for name in CLAIMS):
                raise TokenInvalid
            if claims["iss"] != self._issuer or claims["aud"] != self._issuer:
                raise TokenInvalid
            client, scopes = intern(claims["client_id"]), _scopes(claims["scope"])
            times_and_key = int(claims["iat"]), int(claims["exp"]), intern(found.header["kid"])
            if "sid" not in claims and claims["sub"] == client:
                return ClientClaims(client, scopes, *times_and_key)
            user_id, session_id = uuid.UUID(claims["sub"]), uuid.UUID(claims["sid"])
            return Claims(user_id, session_id, str(session_id), client, scopes, *times_and_key)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            raise TokenInvalid from None

    def _key(self, token: object) -> Key:
        key = self._keys.find(token.headers().get("kid"), ES256)  # type: ignore[attr-defined]
        if key is None:
            raise UnknownKey
        return key


class RefreshTokenParts(NamedTuple):
    session_id: uuid.UUID
    counter: int


class RefreshTokens:
    """Writes and reads refresh tokens: the session, the number of the token, and a MAC."""

    def __init__(self, key: bytes) -> None:
        self._signer = Signer(key, "gwr_")

    def write(self, session_id: uuid.UUID, counter: int) -> str:
        return self._signer.sign(session_id.bytes + counter.to_bytes(8))

    def read(self, token: str) -> RefreshTokenParts | None:
        """Return the parts of a token, or None if its signature is invalid."""
        body = self._signer.verify(token)
        if body is None:
            return None
        return RefreshTokenParts(uuid.UUID(bytes=body[:16]), int.from_bytes(body[16:]))


IDLE = timedelta(days=30)
ABSOLUTE = timedelta(days=90)
GRACE = timedelta(seconds=10)
