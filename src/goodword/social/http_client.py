"""HTTP requests to a provider, limited in time and size."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import structlog
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]

from goodword.outbound.bounded_transport import client_options
from goodword.outbound.http_client import PARSE_ERRORS
from goodword.social.errors import ProviderUnavailable, SignInFailed
from goodword.social.providers import Provider

BUDGET = 2.5
"""Seconds for all calls to a provider in one request."""
CODE_ERRORS = frozenset({"invalid_grant", "invalid_request", "bad_verification_code"})
"""Errors about the code (RFC 6749 §5.2, and GitHub's own). Others concern our registration at the provider."""

log = structlog.get_logger("goodword.social")


@asynccontextmanager
async def open_requests(provider: Provider, redirect_uri: str) -> AsyncIterator["ProviderRequests"]:
    """Open a client for the calls of one request. Raises `ProviderUnavailable` if one of them fails."""
    # Not Authlib's application class: it passes the discovery document on to the client, where names such as
    # `proxy` and `verify` would be arguments.
    client = AsyncOAuth2Client(
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        redirect_uri=redirect_uri,
        scope=provider.scope,
        code_challenge_method="S256",
        timeout=BUDGET,
        **client_options(),
    )
    try:
        async with asyncio.timeout(BUDGET), client:
            yield ProviderRequests(client)
    except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL, InvalidResponse) as error:
        why = f"{type(error).__name__}: {error}"
        log.warning("provider failed", provider=provider.slug, why=repr(why[:200]))
        raise ProviderUnavailable from error


class InvalidResponse(Exception):
    """A response of the provider is not valid."""


class ProviderRequests:
    """The requests of the protocol, with JSON responses."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def authorization_url(self, endpoint: str, **parameters: str) -> str:
        """Return the URL to redirect the browser to (RFC 6749 §4.1.1, with the challenge of RFC 7636 §4.3)."""
        url, _state = self._client.create_authorization_url(endpoint, **parameters)
        return str(url)

    async def exchange(self, endpoint: str, *, code: str, verifier: str, auth: str) -> Mapping[str, Any]:
        """Return the tokens for a code (RFC 6749 §4.1.3). Raises `SignInFailed` if the code is not valid."""
        try:
            answer = await self._client.fetch_token(
                endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                auth=self._client.client_auth(auth),
            )
            return dict(answer)
        except OAuthError as error:
            if isinstance(error.error, str) and error.error in CODE_ERRORS:
                raise SignInFailed from None
            # Most likely the configured client id or secret is wrong.
            raise InvalidResponse(f"refuses us: {error.error!r:.64}") from None
        except PARSE_ERRORS as error:
            raise InvalidResponse("no tokens") from error

    async def get(self, url: str, *, token: str | None = None) -> Any:
        """Return the JSON document at `url`, with an access token if given (RFC 6750 §2.1)."""
        headers = {"Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            answer = await self._client.request("GET", url, headers=headers, withhold_token=True)
            answer.raise_for_status()
            return answer.json()
        except PARSE_ERRORS as error:
            raise InvalidResponse("no such address, or no JSON there") from error
