"""Goodword as a client of the configured providers."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TYPE_CHECKING

from goodword.social.claims import ProviderIdentity
from goodword.social.errors import ProviderNotFound, ProviderUnavailable, SignInFailed
from goodword.social.flow import Flow, FlowCookie
from goodword.social.providers import GitHubProvider, Provider

if TYPE_CHECKING:
    from goodword.social.github import GitHub
    from goodword.social.http_client import ProviderRequests
    from goodword.social.openid import OpenID

UNAVAILABLE_ERRORS = frozenset({"server_error", "temporarily_unavailable"})


class ProviderClients:
    """One client for each provider, and the cookie that holds the state of a sign-in."""

    def __init__(self, providers: Sequence[Provider], *, key: bytes, public_url: str) -> None:
        self.cookie = FlowCookie(key, public_url)
        self._public_url = public_url
        self._clients = {provider.slug: _client(provider) for provider in providers}

    @property
    def labels(self) -> Mapping[str, str]:
        """Return the display name of each provider by its slug."""
        return {slug: client.provider.label for slug, client in self._clients.items()}

    async def authorization_url(self, flow: Flow, *, now: datetime) -> str:
        """Return the URL to redirect the browser to. Raises `ProviderNotFound` and `ProviderUnavailable`."""
        client = self.find(flow.provider)
        async with self._requests(client) as requests:
            return await client.authorization_url(requests, flow, now=now)

    async def identify(
        self, flow: Flow, *, code: str | None, error: str | None, issuer: str | None, now: datetime
    ) -> ProviderIdentity:
        """Return the identity that the provider's response proves. Raises `SignInFailed` and `ProviderUnavailable`."""
        if error in UNAVAILABLE_ERRORS:
            raise ProviderUnavailable
        if error or not code:
            raise SignInFailed
        client = self.find(flow.provider)
        async with self._requests(client) as requests:
            return await client.identify(requests, flow, code=code, issuer=issuer, now=now)

    def find(self, slug: str) -> "OpenID | GitHub":
        """Return the client of a provider. Raises `ProviderNotFound`."""
        if slug not in self._clients:
            raise ProviderNotFound
        return self._clients[slug]

    def _requests(self, client: "OpenID | GitHub") -> "AbstractAsyncContextManager[ProviderRequests]":
        from goodword.social.http_client import open_requests

        # The host is from the settings, never from the Host header, which a client can set.
        redirect_uri = f"{self._public_url}/oauth/callback/{client.provider.slug}"
        return open_requests(client.provider, redirect_uri)


def _client(provider: Provider) -> "OpenID | GitHub":
    # Imported only for a configured provider: Authlib and the HTTP client take time and memory.
    from goodword.social.github import GitHub
    from goodword.social.openid import OpenID

    return GitHub(provider) if isinstance(provider, GitHubProvider) else OpenID(provider)
