"""Issue and verify ID tokens, and issue access tokens of clients that act on their own behalf."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from joserfc import jws, jwt
from joserfc.errors import JoseError
from uuid_utils.compat import uuid7

from goodword.oauth.clients import Client
from goodword.sessions.keys import ALGORITHMS, ES256, SigningKeys
from goodword.sessions.tokens import MAX_LENGTH

ID_TOKEN_LIFETIME = 600


@dataclass(frozen=True, slots=True)
class IdToken:
    """An ID token that this server issued."""

    subject: str
    client_id: str


class ServerTokens:
    """Issues tokens that sessions do not. The header `typ` distinguishes ID tokens from access tokens."""

    def __init__(self, keys: SigningKeys, *, issuer: str, lifetime: int) -> None:
        self._keys, self.issuer, self.lifetime = keys, issuer, lifetime
        self._registry = jws.JWSRegistry(algorithms=list(ALGORITHMS))

    def id_token(
        self,
        *,
        client: Client,
        subject: str,
        user_claims: Mapping[str, str | bool],
        access_token: str,
        auth_time: datetime,
        nonce: str | None,
        now: datetime,
    ) -> str:
        """Return an ID token for one client (OpenID Connect Core §2)."""
        issued = int(now.timestamp())
        claims: dict[str, str | int] = {
            **user_claims,
            "iss": self.issuer,
            "sub": subject,
            "aud": client.client_id,
            "iat": issued,
            "exp": issued + ID_TOKEN_LIFETIME,
            "auth_time": int(auth_time.timestamp()),
            "at_hash": _half_hash(access_token),
        }
        if nonce is not None:
            claims["nonce"] = nonce
        return self._sign("JWT", client.id_token_alg, claims)

    async def read_id_token(self, token: str) -> IdToken | None:
        """Return an ID token that this server issued, or None for any other token.

        For `id_token_hint` (OpenID Connect Core §3.1.2.1): an expired token is accepted, also with a retired key,
        but not with a revoked one. The caller checks the client: another client's token would reveal who is signed
        in.
        """
        if len(token) > MAX_LENGTH:
            return None
        try:
            kid = jws.extract_compact(token.encode(), registry=self._registry).headers()["kid"]
            key = await self._keys.find_unrevoked(kid)
            if key is None:
                return None
            found = jwt.decode(token, key, algorithms=list(ALGORITHMS), registry=self._registry)
            claims = found.claims
            if found.header.get("typ") != "JWT" or claims["iss"] != self.issuer:
                return None
            return IdToken(str(UUID(claims["sub"])), str(claims["aud"]))
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
        return self._sign("at+jwt", ES256, claims)

    def _sign(self, kind: str, algorithm: str, claims: dict[str, str | int]) -> str:
        key = self._keys.signing_key(algorithm)
        header = {"alg": algorithm, "typ": kind, "kid": key.kid}
        return jwt.encode(header, claims, key, registry=self._registry)


def _half_hash(access_token: str) -> str:
    digest = hashlib.sha256(access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")
