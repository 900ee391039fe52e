"""Talking to a provider: bounded in time and size, and every fault of the other side is one error of ours."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import structlog
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]

from goodword.http_client import PARSE_ERRORS, client_options
from goodword.social.errors import ProviderUnavailable, SignInFailed
from goodword.social.providers import Provider

BUDGET = 2.5
"""Seconds that a request of somebody waits for a provider, all calls together."""
THEIR_FAULT = frozenset({"invalid_grant", "invalid_request", "bad_verification_code"})
"""Errors about the code that a browser brought (RFC 6749 §5.2, and GitHub's own). Others are about us."""

log = structlog.get_logger("goodword.social")


@asynccontextmanager
async def conversation(provider: Provider) -> AsyncIterator["Conversation"]:
    """All that is asked of a provider for one request. Raises `ProviderUnavailable`."""
    # Only these go to the client. Authlib's application class would also pass on whatever a discovery
    # document says, and some of the names in there (`proxy`, `verify`) could be arguments of the client.
    client = AsyncOAuth2Client(
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        scope=provider.scope,
        code_challenge_method="S256",
        timeout=BUDGET,
        **client_options(),
    )
    try:
        async with asyncio.timeout(BUDGET), client:
            yield Conversation(client)
    except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL, Nonsense) as error:
        why = f"{type(error).__name__}: {error}"
        log.warning("provider failed", provider=provider.slug, why=repr(why[:200]))
        raise ProviderUnavailable from error


class Nonsense(Exception):
    """An answer that is not of the agreed form."""


class Conversation:
    """The protocol's steps, with answers that are JSON at least."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def authorization_url(self, endpoint: str, **parameters: str) -> str:
        """Where to send the browser (RFC 6749 §4.1.1, with the challenge of RFC 7636 §4.3)."""
        url, _state = self._client.create_authorization_url(endpoint, **parameters)
        return str(url)

    async def exchange(
        self, endpoint: str, *, code: str, verifier: str, redirect_uri: str, auth: str
    ) -> Mapping[str, Any]:
        """The tokens for a code (RFC 6749 §4.1.3). Raises `SignInFailed` if the code is not good."""
        try:
            answer = await self._client.fetch_token(
                endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                redirect_uri=redirect_uri,
                auth=self._client.client_auth(auth),
            )
            return dict(answer)
        except OAuthError as error:
            if isinstance(error.error, str) and error.error in THEIR_FAULT:
                raise SignInFailed from None
            # Most likely our id or secret is wrong. Nobody who signs in can help it.
            raise Nonsense(f"refuses us: {error.error!r:.64}") from None
        except PARSE_ERRORS as error:
            raise Nonsense("no tokens") from error

    async def get(self, url: str, *, token: str | None = None) -> Any:
        """The JSON at an address, asked for with an access token (RFC 6750 §2.1) or without."""
        headers = {"Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            answer = await self._client.request("GET", url, headers=headers, withhold_token=True)
            answer.raise_for_status()
            return answer.json()
        except PARSE_ERRORS as error:
            raise Nonsense("no such address, or no JSON there") from error
