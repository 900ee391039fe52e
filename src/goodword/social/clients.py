"""Goodword as a client of the configured providers: the way there, and what comes back."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from goodword.social.claims import ProviderIdentity
from goodword.social.errors import ProviderNotFound, ProviderUnavailable, SignInFailed
from goodword.social.flow import Flow, FlowCookie
from goodword.social.github import GitHub
from goodword.social.http_client import conversation
from goodword.social.openid import OpenID
from goodword.social.providers import GitHubProvider, OpenIDProvider, Provider

PROVIDER_TROUBLE = frozenset({"server_error", "temporarily_unavailable"})


class ProviderClients:
    """One client for each provider, and the cookie that all of them remember a sign-in with."""

    def __init__(self, providers: Sequence[Provider], *, key: bytes, public_url: str) -> None:
        self.cookie = FlowCookie(key, https=public_url.startswith("https://"))
        self._public_url = public_url
        self._clients = {provider.slug: _client(provider) for provider in providers}

    @property
    def labels(self) -> Mapping[str, str]:
        """The providers' names for people, by the part of our addresses that stands for each."""
        return {slug: client.provider.label for slug, client in self._clients.items()}

    async def authorization_url(self, flow: Flow, *, now: datetime) -> str:
        """Where to send the browser. Raises `ProviderNotFound` and `ProviderUnavailable`."""
        client = self.find(flow.provider)
        async with conversation(client.provider) as talk:
            return await client.authorization_url(talk, flow, redirect_uri=self._back(flow), now=now)

    async def identify(
        self, flow: Flow, *, code: str | None, error: str | None, issuer: str | None, now: datetime
    ) -> ProviderIdentity:
        """Whom the provider's answer is about. Raises `SignInFailed` and `ProviderUnavailable`."""
        if error in PROVIDER_TROUBLE:
            raise ProviderUnavailable
        if error or not code:
            raise SignInFailed
        client = self.find(flow.provider)
        async with conversation(client.provider) as talk:
            return await client.identify(
                talk, flow, code=code, issuer=issuer, redirect_uri=self._back(flow), now=now
            )

    def find(self, slug: str) -> OpenID | GitHub:
        """Raises `ProviderNotFound`."""
        if slug not in self._clients:
            raise ProviderNotFound
        return self._clients[slug]

    def _back(self, flow: Flow) -> str:
        # From the settings, never from the request: whoever can set a Host header must not choose it.
        return f"{self._public_url}/oauth/callback/{flow.provider}"


def _client(provider: Provider) -> OpenID | GitHub:
    if isinstance(provider, OpenIDProvider):
        return OpenID(provider)
    assert isinstance(provider, GitHubProvider)
    return GitHub(provider)
