"""The server of Acme, which manages its webhook endpoints by an API key."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response

from asgi import Client, client_of, run_due_jobs
from people import Person
from server_keys import make_key
from third_party import Browser
from webhooks.receivers import Receiver, receiving, sending

SCOPES = ("webhooks:read", "webhooks:write")
ENDPOINTS = "/api/v1/webhook-endpoints"
URL = "https://acme.example/webhooks"


@dataclass
class Webhooks:
    """A product's server with a key for webhooks."""

    api: Client
    key: str

    async def call(self, method: str, path: str = "", body: Any = None, **headers: str) -> Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        headers = {"Authorization": f"Bearer {self.key}"} | given
        sent = {} if body is None else {"json": body}
        return await self.api.request(method, f"{ENDPOINTS}{path}", headers=headers, **sent)

    async def create(self, *kinds: str, url: str = URL, **fields: Any) -> dict[str, Any]:
        body = {"url": url, "kinds": kinds or ["user.created"], **fields}
        answer = await self.call("POST", body=body)
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture
async def webhooks(app: FastAPI, api: Client) -> Webhooks:
    return Webhooks(api, await make_key(app, SCOPES))


@pytest.fixture
async def receiver(app: FastAPI) -> AsyncIterator[Receiver]:
    """Yield a receiver, to which the app can send."""
    with sending(app) as client:
        async with receiving() as found:
            yield found
        await client.close()


@pytest.fixture
def deliver(app: FastAPI) -> Callable[[], Awaitable[int]]:
    """Do the jobs that are due."""
    return lambda: run_due_jobs(app)


@pytest.fixture
async def office(app: FastAPI, rita: Person) -> AsyncIterator[Browser]:
    """Yield the browser of an administrator."""
    async with client_of(app) as client:
        browser = Browser(client)
        await browser.sign_in(rita)
        yield browser


@pytest.fixture
async def receiving_endpoint(webhooks: Webhooks, receiver: Receiver) -> str:
    """Create an endpoint at the receiver and return the path of its page."""
    made = await webhooks.create("user.created", url=receiver.url)
    return f"/admin/webhooks/{made['id']}"
