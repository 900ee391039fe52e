"""The server of Acme, which manages its webhook endpoints by an API key."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response

from asgi import Client, run_due_jobs
from server_keys import make_key
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
