"""Issue and verify ID tokens, and access tokens of clients that act on their own behalf."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from uuid_utils.compat import uuid7

from goodword.sessions.keys import ALGORITHM, SigningKeys
from goodword.sessions.tokens import MAX_LENGTH

ID_TOKEN_LIFETIME = 600


@dataclass(frozen=True, slots=True)
class ClientClaims:
    client_id: str
    scope: str
    issued_at: int
    expires_at: int


class ServerTokens:
    """Signed with the keys of access tokens, but not accepted as one."""

    def __init__(self, keys: SigningKeys, *, issuer: str, lifetime: int) -> None:
        self._keys, self.issuer, self.lifetime = keys, issuer, lifetime
        self._registry = jws.JWSRegistry(algorithms=[ALGORITHM])

    def id_token(
        self,
        *,
        subject: str,
        client_id: str,
        access_token: str,
        auth_time: datetime,
        nonce: str | None,
        now: datetime,
    ) -> str:
        """Return an ID token for one client (OpenID Connect Core §2)."""
        issued = int(now.timestamp())
        claims: dict[str, str | int] = {
            "iss": self.issuer,
            "sub": subject,
            "aud": client_id,
            "iat": issued,
            "exp": issued + ID_TOKEN_LIFETIME,
            "auth_time": int(auth_time.timestamp()),
            "at_hash": _half_hash(access_token),
        }
        if nonce is not None:
            claims["nonce"] = nonce
        return self._sign("JWT", claims)

    async def subject_of(self, id_token: str, *, client_id: str) -> str | None:
        """Return the subject of an ID token that this server issued to the client, or None for any other token.

        For `id_token_hint` (OpenID Connect Core §3.1.2.1): an expired token is accepted, also with a retired key,
        but not with a revoked one. Another client's token is not: it would reveal who is signed in.
        """
        if len(id_token) > MAX_LENGTH:
            return None
        try:
            kid = jws.extract_compact(id_token.encode(), registry=self._registry).headers()["kid"]
            key = await self._keys.find_unrevoked(kid)
            if key is None:
                return None
            found = jwt.decode(id_token, key, algorithms=[ALGORITHM], registry=self._registry)
            claims = found.claims
            if found.header.get("typ") != "JWT" or (claims["iss"], claims["aud"]) != (self.issuer, client_id):
                return None
            return str(UUID(claims["sub"]))
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def for_client(self, client_id: str, scope: str, *, now: datetime) -> str:
        """Return an access token of a client itself (RFC 6749 §4.4), without user and session.

        It has no `sid`, so operations on a user's data refuse it.
        """
        issued = int(now.timestamp())
        claims: dict[str, str | int] = {
            "iss": self.issuer,
            "aud": self.issuer,
            "sub": client_id,
            "client_id": client_id,
            "iat": issued,
            "exp": issued + self.lifetime,
            "jti": str(uuid7()),
            "scope": scope,
        }
        return self._sign("at+jwt", claims)

    def read_client(self, token: str, *, now: datetime) -> ClientClaims | None:
        """Return the claims of a token made by `for_client` that has not expired."""
        if len(token) > MAX_LENGTH:
            return None
        try:
            found = jwt.decode(token, self._key, algorithms=[ALGORITHM], registry=self._registry)
            claims = found.claims
            if found.header.get("typ") != "at+jwt" or claims["iss"] != self.issuer or "sid" in claims:
                return None
            if claims["sub"] != claims["client_id"] or now.timestamp() >= claims["exp"]:
                return None
            return ClientClaims(claims["client_id"], claims["scope"], claims["iat"], claims["exp"])
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def _sign(self, kind: str, claims: dict[str, str | int]) -> str:
        key = self._keys.current
        return jwt.encode(
            {"alg": ALGORITHM, "typ": kind, "kid": key.kid}, claims, key, registry=self._registry
        )

    def _key(self, token: object) -> ECKey:
        key = self._keys.find(token.headers().get("kid"))  # type: ignore[attr-defined]
        if key is None:
            raise ValueError("an unknown key")
        return key


def _half_hash(access_token: str) -> str:
    digest = hashlib.sha256(access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")
