"""Access tokens (JWT) and refresh tokens (opaque): made and read here, with no database."""

import base64
import binascii
import hmac
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from uuid_utils.compat import uuid7

from goodword.crypto import mac
from goodword.errors import TokenInvalid
from goodword.sessions.keys import ALGORITHM, SigningKeys

CLIENT = "goodword"
"""`client_id` of our own sign-ins (RFC 9068 §2.2 asks for one)."""

MAX_LENGTH = 4096
MAC_BYTES = 16
CLAIMS = ("iss", "aud", "sub", "sid", "client_id", "iat", "exp", "jti", "scope")


@dataclass(frozen=True, slots=True)
class Claims:
    user_id: uuid.UUID
    session_id: uuid.UUID
    client: str
    scopes: frozenset[str]
    expires_at: int


class AccessTokens:
    """Signs and verifies access tokens in the profile of RFC 9068."""

    def __init__(self, keys: SigningKeys, *, issuer: str, lifetime: int) -> None:
        self._keys, self._issuer, self.lifetime = keys, issuer, lifetime
        self._registry = jws.JWSRegistry(algorithms=[ALGORITHM])

    def sign(
        self, *, user_id: uuid.UUID, session_id: uuid.UUID, client: str, scope: str, now: datetime
    ) -> str:
        issued = int(now.timestamp())
        return jwt.encode(
            {"alg": ALGORITHM, "typ": "at+jwt", "kid": self._keys.current.kid},
            {
                "iss": self._issuer,
                "aud": self._issuer,
                "sub": str(user_id),
                "sid": str(session_id),
                "client_id": client,
                "iat": issued,
                "exp": issued + self.lifetime,
                "jti": str(uuid7()),
                "scope": scope,
            },
            self._keys.current,
            registry=self._registry,
        )

    def verify(self, token: str, *, now: datetime) -> Claims:
        """The claims of one of our tokens in its lifetime. Raises `TokenInvalid`, whatever is wrong."""
        if len(token) > MAX_LENGTH:
            raise TokenInvalid
        try:
            found = jwt.decode(token, self._key, algorithms=[ALGORITHM], registry=self._registry)
            claims = found.claims
            if found.header.get("typ") != "at+jwt" or any(name not in claims for name in CLAIMS):
                raise TokenInvalid
            if claims["iss"] != self._issuer or claims["aud"] != self._issuer:
                raise TokenInvalid
            if not claims["iat"] - 60 <= now.timestamp() < claims["exp"]:
                raise TokenInvalid
            return Claims(
                uuid.UUID(claims["sub"]),
                uuid.UUID(claims["sid"]),
                claims["client_id"],
                frozenset(claims["scope"].split()),
                claims["exp"],
            )
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            raise TokenInvalid from None

    def _key(self, token: object) -> ECKey:
        key = self._keys.find(token.headers().get("kid"))  # type: ignore[attr-defined]
        if key is None:
            raise TokenInvalid
        return key


class RefreshToken(NamedTuple):
    session_id: uuid.UUID
    counter: int


class RefreshTokens:
    """A refresh token is its session, its number in it, and our MAC: nothing of it has to be stored."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def write(self, session_id: uuid.UUID, counter: int) -> str:
        body = session_id.bytes + counter.to_bytes(8)
        return "gwr_" + base64.urlsafe_b64encode(body + mac(self._key, body)[:MAC_BYTES]).decode().rstrip("=")

    def read(self, token: str) -> RefreshToken | None:
        """What it says, if it is one that we wrote."""
        text = token.removeprefix("gwr_")
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        body, tag = raw[:24], raw[24:]
        if text == token or len(body) != 24 or not hmac.compare_digest(tag, mac(self._key, body)[:MAC_BYTES]):
            return None
        return RefreshToken(uuid.UUID(bytes=body[:16]), int.from_bytes(body[16:]))


IDLE = timedelta(days=30)
ABSOLUTE = timedelta(days=90)
GRACE = timedelta(seconds=10)
