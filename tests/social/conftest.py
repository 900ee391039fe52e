"""The service with the test provider as its OpenID provider, its Google and its GitHub."""

from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from asgi import client_of, replaced
from goodword.social import http_client
from goodword.social.clients import ProviderClients
from goodword.social.providers import GitHubProvider, OpenIDProvider
from social.provider import CLIENT_ID, CLIENT_SECRET, Provider, serving

OWN_BUDGET = http_client.BUDGET


@pytest.fixture(autouse=True)
def time_enough(monkeypatch):
    """A busy machine is no broken provider; `test_outages` sees to the limit."""
    monkeypatch.setattr(http_client, "BUDGET", 30.0)


@pytest.fixture(scope="session")
def listening_provider() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture
def provider(listening_provider: Provider) -> Provider:
    listening_provider.reset()
    return listening_provider


@pytest.fixture
def providers(provider: Provider) -> list[object]:
    ours = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return [
        OpenIDProvider(slug="oidc", label="Example", issuer=provider.url, **ours),
        OpenIDProvider(
            slug="google", label="Google", issuer=provider.url, issuer_alias="accounts.google.test", **ours
        ),
        GitHubProvider(slug="github", label="GitHub", site=provider.url, api=provider.url, **ours),
    ]


@pytest.fixture
def service(app: FastAPI, providers) -> Iterator[FastAPI]:
    """The service, which has heard nothing of its providers yet."""
    public_url = app.state.services.settings.public_url
    with replaced(app, social_clients=ProviderClients(providers, key=b"k" * 32, public_url=public_url)):
        yield app


@pytest.fixture
async def api(service: FastAPI) -> AsyncIterator[AsyncClient]:
    async with client_of(service) as client:
        yield client
