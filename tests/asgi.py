"""The service inside the test process, and a client for it that holds every answer against OpenAPI."""

import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import cache
from secrets import token_bytes
from typing import Any

from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response
from pydantic import SecretStr

from goodword.app import create_app
from goodword.composition import build_worker
from goodword.config.settings import Settings
from goodword.web.openapi import EVERYWHERE

# httpx2 tries to import it for each request, and a failed search costs as much as a small response.
sys.modules.setdefault("sniffio", None)

SECRET = "a secret that only the tests know, long enough"


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[FastAPI]:
    """The app between its start and its end."""
    async with app.router.lifespan_context(app):
        yield app


@contextmanager
def replaced(app: FastAPI, **parts: Any) -> Iterator[None]:
    """Give the app other `parts` among its services, as long as the block runs."""
    own = app.state.services
    app.state.services = replace(own, **parts)
    try:
        yield
    finally:
        app.state.services = own


async def run_due_jobs(app: FastAPI) -> int:
    """Do all jobs of the app that are due, one after the other. Returns how many attempts that took."""
    return await build_worker(app.state.services).run_due()


def settings_for(url: str, **values: Any) -> Settings:
    values = {"password_hash": "fast_for_tests", "secret_key": SecretStr(SECRET), **values}
    return Settings(database_url=SecretStr(url), **values)


class Client(AsyncClient):
    """A client of an app in this process, which checks every answer against what OpenAPI says of the operation."""

    def __init__(self, app: FastAPI, *, peer: str = "127.0.0.1") -> None:
        transport = ASGITransport(app, raise_app_exceptions=False, client=(peer, 54321))
        hooks = {"response": [check_documented]}
        super().__init__(transport=transport, base_url="http://127.0.0.1:8000", event_hooks=hooks)
        self.app = app


def client_of(app: FastAPI, *, peer: str = "127.0.0.1") -> Client:
    return Client(app, peer=peer)


def forget_limits(app: FastAPI) -> None:
    """Let the next requests count as those of networks and accounts that the limiter does not know."""
    app.state.services.rate_limiter.key = token_bytes(32)


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document, which takes a second to make; no setting changes it."""
    return create_app(settings_for("sqlite+aiosqlite:///none")).openapi()


@cache
def operations() -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
    """Every operation with its method and paths, as OpenAPI has it."""
    paths = document()["paths"]
    return [
        (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), operation)
        for path, methods in sorted(paths.items(), key=lambda item: item[0].count("{"))
        for method, operation in methods.items()
    ]


@cache
def operations_of(method: str, slashes: int) -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """Return the operations of a method whose path has so many slashes: each answer is looked up among few."""
    return [
        (pattern, operation)
        for known, pattern, operation in operations()
        if known == method and pattern.pattern.replace("[^/]+", "").count("/") == slashes
    ]


async def check_documented(response: Response) -> None:
    await response.aread()
    asked, path = response.request.method, response.request.url.path
    candidates = operations_of(asked, path.count("/"))
    operation = next((known for pattern, known in candidates if pattern.fullmatch(path)), None)
    if operation is None:
        return
    is_problem = response.headers.get("content-type") == "application/problem+json"
    code = response.json()["code"] if is_problem else ""
    if code in {error.code for error in EVERYWHERE}:
        return
    answer = operation["responses"].get(str(response.status_code))
    if answer is None and "$ref" not in operation["responses"]["default"] and response.is_error:
        return  # an OAuth endpoint, in whose form all such errors look alike
    assert answer is not None, f"{response.status_code} is not documented: {response.text}"
    if is_problem:
        examples = answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
        assert code in examples, f"{code} is not documented for {operation['operationId']}"
