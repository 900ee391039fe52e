"""The service on each database, a client for it, and its people.

A test that asks for `api` (or for a person) runs twice: on SQLite and on PostgreSQL, over the migrated
schema, with real commits; rows are deleted between tests. Every answer is held against the OpenAPI document.
"""

import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response
from pydantic import SecretStr
from sqlalchemy import text

from asgi import running
from goodword import migrations
from goodword.app import create_app
from goodword.settings import Settings
from people import Person, join
from servers import Valkey, postgres, valkey

SECRET = "a secret that only the tests know, long enough"
KEPT_TABLES = {"alembic_version", "signing_keys"}


class Clock:
    """The time of the service under test: the real one, until a test moves it forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def forward(self, **amount: float) -> None:
        self.ahead += timedelta(**amount)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    with valkey() as server:
        yield server


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def database_kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
async def database_url(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """An empty database with the schema in place."""
    if database_kind == "postgres":
        url = request.getfixturevalue("postgres_url")
    else:
        url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('sqlite') / 'goodword.sqlite3'}"
    await migrations.upgrade(url)
    return url


def settings_for(url: str, **values: Any) -> Settings:
    values = {"password_hash": "fast_for_tests", "secret_key": SecretStr(SECRET), **values}
    return Settings(database_url=SecretStr(url), **values)


@pytest.fixture(scope="session")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
async def shared_app(database_url: str, clock: Clock) -> AsyncIterator[FastAPI]:
    async with running(create_app(settings_for(database_url), clock=clock)) as app:
        yield app


@pytest.fixture
async def app(shared_app: FastAPI, clock: Clock) -> AsyncIterator[FastAPI]:
    """The service with nobody in it yet."""
    clock.ahead = timedelta(0)
    yield shared_app
    await empty(shared_app)


async def empty(app: FastAPI) -> None:
    from goodword.tables import Base

    async with app.state.database.sessions.begin() as session:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name not in KEPT_TABLES:
                await session.execute(table.delete())


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with client_of(app) as client:
        yield client


def client_of(app: FastAPI) -> AsyncClient:
    """A client in this process, which checks every answer against what OpenAPI says of the operation."""
    transport = ASGITransport(app, raise_app_exceptions=False)
    hooks = {"response": [documented(app)]}
    return AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", event_hooks=hooks)


def documented(app: FastAPI) -> Callable[[Response], Awaitable[None]]:
    operations = {
        (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path))): operation
        for path, methods in sorted(app.openapi()["paths"].items(), key=lambda item: item[0].count("{"))
        for method, operation in methods.items()
    }

    async def check(response: Response) -> None:
        await response.aread()
        path = response.request.url.path
        found = (
            operation
            for (method, pattern), operation in operations.items()
            if method == response.request.method and pattern.fullmatch(path)
        )
        operation = next(found, None)
        if operation is None:
            return
        answer = operation["responses"].get(str(response.status_code))
        assert answer is not None, f"{response.status_code} is not documented: {response.text}"
        content = answer.get("content", {}).get("application/problem+json")
        if response.headers.get("content-type") == "application/problem+json":
            code = response.json()["code"]
            assert code in content["examples"], f"{code} is not documented for {operation['operationId']}"

    return check


@pytest.fixture
def rows(app: FastAPI) -> Callable[..., Awaitable[list[Any]]]:
    """What stands in the database, for what no answer shows."""

    async def read(sql: str, **values: Any) -> list[Any]:
        return [tuple(row) for row in await app.state.database.rows(text(sql), **values)]

    return read


@pytest.fixture
async def alice(api: AsyncClient) -> Person:
    return await join(api, "alice", last_name="Liddell")


@pytest.fixture
async def bob(api: AsyncClient) -> Person:
    return await join(api, "bob")


@pytest.fixture
async def mallory(api: AsyncClient) -> Person:
    return await join(api, "mallory")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many tests ran on which database."""
    passed = terminalreporter.stats.get("passed", [])
    kinds = Counter(
        next((kind for kind in ("sqlite", "postgres") if kind in report.nodeid.partition("[")[2]), "neither")
        for report in passed
    )
    terminalreporter.write_line(", ".join(f"{count} on {kind}" for kind, count in sorted(kinds.items())))


ROOT = Path(__file__).parent.parent
