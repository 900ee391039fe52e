"""Servers of a product, with API keys."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from httpx2 import Response

from asgi import Client
from authorization_world import make_program
from goodword.programs.models import Program
from server_keys import make_key

SCOPES = ("participants:read", "participants:write")


CONFIRM = "/api/v1/email-verifications/confirm"


def path_of(external_id: str, rest: str = "") -> str:
    encoded = quote(external_id, safe="")
    if not encoded.strip("."):  # clients resolve `.` and `..` in a path
        encoded = encoded.replace(".", "%2E")
    return f"/api/v1/participants/{encoded}{rest}"


@dataclass
class Server:
    """A product's server, which sends an API key."""

    api: Client
    key: str
    program: Program | None = None

    async def call(self, method: str, path: str, **options: Any) -> Response:
        headers = {"Authorization": f"Bearer {self.key}"} | options.pop("headers", {})
        return await self.api.request(method, path, headers=headers, **options)

    async def put(self, external_id: str, **body: Any) -> Response:
        headers = {"Idempotency-Key": body.pop("key")} if "key" in body else {}
        return await self.call("PUT", path_of(external_id), json=body, headers=headers)

    async def report(self, external_id: str, **body: Any) -> dict[str, Any]:
        """The participant, who is created or changed."""
        answer = await self.put(external_id, **body)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    async def get(self, external_id: str, rest: str = "", **query: Any) -> Response:
        return await self.call("GET", path_of(external_id, rest), params=query)

    async def read(self, external_id: str) -> dict[str, Any]:
        answer = await self.get(external_id)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def delete(self, external_id: str) -> Response:
        return await self.call("DELETE", path_of(external_id))

    async def post(self, external_id: str, rest: str, body: Any = None) -> Response:
        return await self.call("POST", path_of(external_id, rest), json=body)

    async def batch(self, *items: Any, key: str | None = None) -> Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.call(
            "POST", "/api/v1/participants/batch", json={"items": list(items)}, headers=headers
        )


@pytest.fixture
async def acme(app: FastAPI, api: Client) -> Server:
    """The server of Acme, whose key reaches all programs."""
    return Server(api, await make_key(app, SCOPES))


async def limited_server(app: FastAPI, api: Client) -> Server:
    """A server whose key is limited to a program of its own."""
    async with app.state.services.database.transaction() as session:
        program = await make_program(session, app.state.services.clock())
    return Server(api, await make_key(app, SCOPES, program_id=program.id), program)


@pytest.fixture
async def globex(app: FastAPI, api: Client) -> Server:
    return await limited_server(app, api)


@pytest.fixture
async def initech(app: FastAPI, api: Client) -> Server:
    return await limited_server(app, api)


async def token_of(post, to, kind):
    (token,) = [letter.token for letter in await post(to=to) if letter.kind == kind]
    return token


async def verify(person, post):
    """Open the link of the e-mail."""
    token = await token_of(post, person.email, "verify_email")
    answer = await person.api.post(CONFIRM, json={"token": token})
    assert answer.status_code == 204, answer.text
