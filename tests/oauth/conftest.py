"""Apps that ask people for access: Garden is a web app with a secret, Pocket runs on people's own machines."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from asgi import client_of
from people import Person
from third_party import App, Browser, register_app


@pytest.fixture
async def garden(app: FastAPI, api: AsyncClient) -> App:
    return await register_app(app, api, "https://garden.example/callback")


@pytest.fixture
async def rival(app: FastAPI, api: AsyncClient) -> App:
    """Another app with a secret of its own."""
    return await register_app(app, api, "https://rival.example/callback", name="Rival")


@pytest.fixture
async def pocket(app: FastAPI, api: AsyncClient) -> App:
    return await register_app(
        app,
        api,
        "http://127.0.0.1/callback",
        "http://[::1]/callback",
        "http://localhost/callback",
        "com.example.pocket:/callback",
        name="Pocket",
        grant_types=("authorization_code", "refresh_token"),
        public=True,
    )


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[Browser]:
    """Nobody is signed in on it yet."""
    async with client_of(app) as client:
        yield Browser(client)


@pytest.fixture
async def alices(browser: Browser, alice: Person) -> Browser:
    """Alice's browser, signed in."""
    await browser.sign_in(alice)
    return browser
