"""OpenID Connect: discovery, the provider's keys, and validation of ID tokens."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from joserfc import jws, jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet
from pydantic import AfterValidator, BaseModel, ValidationError

from goodword.outbound.http_client import PARSE_ERRORS
from goodword.social import claims as identities
from goodword.social.claims import ProviderIdentity
from goodword.social.errors import SignInFailed
from goodword.social.flow import Flow
from goodword.social.http_client import InvalidResponse, ProviderRequests
from goodword.social.providers import OpenIDProvider

KEPT = timedelta(hours=1)
UNKNOWN_KEY_PAUSE = timedelta(minutes=1)
"""Shortest time between two fetches of the keys for unknown key ids."""
LEEWAY = 60
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
"""Asymmetric signatures. Neither `none` nor HMAC, whose key would be the client secret."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:  # or it raises
        raise ValueError("not an address")
    return text


Endpoint = Annotated[str, AfterValidator(_address)]


class Metadata(BaseModel):
    """The part of the provider's configuration that is used (OIDC Discovery §3)."""

    issuer: str
    authorization_endpoint: Endpoint
    token_endpoint: Endpoint
    jwks_uri: Endpoint
    userinfo_endpoint: Endpoint | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)

    @property
    def auth_method(self) -> str:
        methods = self.token_endpoint_auth_methods_supported
        return "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"


class OpenID:
    """One OpenID provider, with its configuration and keys cached for an hour."""

    def __init__(self, provider: OpenIDProvider) -> None:
        self.provider = provider
        self._metadata: Metadata | None = None
        self._metadata_at = LONG_AGO
        self._keys: KeySet | None = None
        self._keys_at = self._keys_asked_at = LONG_AGO
        self._fetching = asyncio.Lock()

    async def authorization_url(self, requests: ProviderRequests, flow: Flow, *, now: datetime) -> str:
        """Return the URL of the authentication request (OIDC Core §3.1.2.1)."""
        endpoint = (await self._discover(requests, now)).authorization_endpoint
        return requests.authorization_url(
            endpoint, state=flow.state, nonce=flow.nonce, code_verifier=flow.verifier
        )

    async def identify(
        self, requests: ProviderRequests, flow: Flow, *, code: str, issuer: str | None, now: datetime
    ) -> ProviderIdentity:
        """Return the identity in the ID token for the code. Raises `SignInFailed`.

        `issuer` is the `iss` parameter of the response (RFC 9207). Another issuer indicates a mix-up attack.
        """
        metadata = await self._discover(requests, now)
        if issuer is not None and issuer not in self._issuers(metadata):
            raise SignInFailed
        tokens = await requests.exchange(
            metadata.token_endpoint, code=code, verifier=flow.verifier, auth=metadata.auth_method
        )
        claims = await self._verify(requests, metadata, tokens.get("id_token"), nonce=flow.nonce, now=now)
        if "email" not in claims and metadata.userinfo_endpoint:
            claims = await self._ask(requests, metadata.userinfo_endpoint, tokens, claims)
        return identities.from_claims(self.provider.realm, claims)

    async def _verify(
        self, requests: ProviderRequests, metadata: Metadata, id_token: object, *, nonce: str, now: datetime
    ) -> Mapping[str, Any]:
        """Return the claims of an ID token after its validation (OIDC Core §3.1.3.7). Raises `SignInFailed`."""
        if not isinstance(id_token, str):
            raise SignInFailed
        keys = await self._key_set(requests, metadata, now)
        try:
            try:
                token = _decode(id_token, keys)
            except InvalidKeyIdError:
                token = _decode(id_token, await self._key_set(requests, metadata, now, not_in=keys))
            required = jwt.JWTClaimsRegistry(
                now=int(now.timestamp()),
                leeway=LEEWAY,
                iss={"essential": True, "values": self._issuers(metadata)},
                aud={"essential": True, "value": self.provider.client_id},
                nonce={"essential": True, "value": nonce},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
            )
            required.validate(token.claims)
        except (JoseError, *PARSE_ERRORS):
            raise SignInFailed from None
        several = isinstance(token.claims["aud"], list) and len(token.claims["aud"]) > 1
        if token.claims.get("azp", None if several else self.provider.client_id) != self.provider.client_id:
            raise SignInFailed  # issued to another client
        return token.claims

    async def _ask(
        self, requests: ProviderRequests, endpoint: str, tokens: Mapping[str, Any], known: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the claims of the userinfo endpoint, if they have the same subject (OIDC Core §5.3.2)."""
        more = await requests.get(endpoint, token=str(tokens.get("access_token")))
        if not isinstance(more, dict) or more.get("sub") != known["sub"]:
            raise SignInFailed
        return more

    def _issuers(self, metadata: Metadata) -> list[str]:
        return [metadata.issuer, *filter(None, [self.provider.issuer_alias])]

    async def _discover(self, requests: ProviderRequests, now: datetime) -> Metadata:
        """Return the configuration of the provider (OIDC Discovery §4)."""
        async with self._fetching:
            if self._metadata is None or now - self._metadata_at >= KEPT:
                issuer = self.provider.issuer
                found = await requests.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                self._metadata, self._metadata_at = _metadata(found, issuer), now
            return self._metadata

    async def _key_set(
        self, requests: ProviderRequests, metadata: Metadata, now: datetime, *, not_in: KeySet | None = None
    ) -> KeySet:
        """Return the provider's keys (RFC 7517 §5). Fetch them again, within limits, if the key is `not_in` them."""
        async with self._fetching:
            stale = now - self._keys_at >= KEPT
            missing = self._keys is not_in and now - self._keys_asked_at >= UNKNOWN_KEY_PAUSE
            if self._keys is None or stale or missing:
                self._keys_asked_at = now  # before the fetch: a failed one counts too
                self._keys = _public_keys(await requests.get(metadata.jwks_uri))
                self._keys_at = now
            return self._keys


def _metadata(document: Any, issuer: str) -> Metadata:
    try:
        found = Metadata.model_validate(document)
    except ValidationError as error:
        raise InvalidResponse("no configuration") from error
    # Settings have no trailing slash, some issuers do. Otherwise they must be equal (§4.3).
    if found.issuer.rstrip("/") != issuer.rstrip("/"):
        raise InvalidResponse("another issuer")
    endpoints = [found.authorization_endpoint, found.token_endpoint, found.jwks_uri, found.userinfo_endpoint]
    if issuer.startswith("https://") and not all(one.startswith("https://") for one in endpoints if one):
        raise InvalidResponse("an endpoint without TLS")
    return found


def _public_keys(document: Any) -> KeySet:
    """Return the keys that can verify signatures. Others are ignored."""
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise InvalidResponse("no keys")
    found: list[Key] = []
    for data in document["keys"]:
        try:
            if data["kty"] != "oct" and data.get("use", "sig") == "sig":
                found.append(JWKRegistry.import_key(data))
        except (JoseError, *PARSE_ERRORS):
            continue
    return KeySet(found)


def _decode(id_token: str, keys: KeySet) -> jwt.Token:
    registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    return jwt.decode(id_token, keys, registry=registry)
