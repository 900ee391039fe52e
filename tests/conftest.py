"""The service on each database, a client for it, and its people.

A test that asks for `api` (or for a person) runs twice: on SQLite and on PostgreSQL, over the migrated
schema, with real commits; rows are deleted between tests. The mark `one_database` is for tests of what cannot differ
between the two: they run on SQLite. `both_databases` makes an exception of a test in a module with that mark. Every
answer is held against the OpenAPI document.
"""

import gc
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI
from redis.asyncio import Redis
from sqlalchemy import text

from asgi import Client, client_of, forget_limits, running, settings_for
from emptying import empty
from fresh_database import fresh_database
from goodword import migrations
from goodword.admin import service as administration
from goodword.app import create_app
from goodword.db import engines
from loopback import refuse_foreign_hosts
from mailboxes import Post
from people import Person, join
from servers import Valkey, postgres, valkey
from serving import goodword

sys.addaudithook(refuse_foreign_hosts)

# With Rich installed, structlog spends half a second of CPU on the traceback of each exception that is logged.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

# No test cuts the power, so SQLite need not wait for the disk at each commit.
engines.SQLITE_PRAGMAS += ("synchronous = OFF",)


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
def postgres_template(postgres_url: str) -> Iterator[str]:
    """Yield the name of a PostgreSQL database with the schema in place, to be copied: migrations take seconds."""
    with (
        start_blocking_portal() as portal,  # async fixtures ask for it by name, while their loop runs
        portal.wrap_async_context_manager(fresh_database(postgres_url)) as url,
    ):
        portal.call(migrations.upgrade, url)
        yield url.rpartition("/")[2]


@pytest.fixture
async def installation(database_kind, request, tmp_path, migrated):
    """Yield the settings of a database of its own with its data folder."""
    if database_kind == "sqlite":
        file = shutil.copy(migrated / "data" / "goodword.sqlite3", tmp_path)
        yield settings_for(f"sqlite+aiosqlite:///{file}", data_dir=tmp_path)
        return
    postgres_url, template = (request.getfixturevalue(name) for name in ("postgres_url", "postgres_template"))
    async with fresh_database(postgres_url, template=template) as url:
        yield settings_for(url, data_dir=tmp_path)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    with valkey() as server:
        yield server


@pytest.fixture
async def redis(valkey_server: Valkey) -> AsyncIterator[Redis]:
    """A client of a Valkey with nothing in it."""
    async with Redis.from_url(valkey_server.url) as client:
        await client.flushall()
        yield client


@pytest.fixture
def valkey_url(valkey_server: Valkey, redis: Redis) -> str:
    """A Valkey with nothing in it."""
    return valkey_server.url


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep modules and tests out of garbage collections, while they are loaded and later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        gc.set_threshold(10_000, 20, 20)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on both databases, or on SQLite alone if it is marked `one_database`."""
    chosen = {mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")}
    if "database_kind" in metafunc.fixturenames and "database_kind" not in chosen:
        marks = {mark.name for mark in metafunc.definition.iter_markers()}
        both = "one_database" not in marks or "both_databases" in marks
        kinds = ["sqlite", "postgres"] if both else ["sqlite"]
        metafunc.parametrize("database_kind", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def database_kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
async def database_url(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """Yield an empty database with the schema in place."""
    if database_kind == "postgres":
        postgres_url, template = (
            request.getfixturevalue(name) for name in ("postgres_url", "postgres_template")
        )
        async with fresh_database(postgres_url, template=template) as url:
            yield url
        return
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('sqlite') / 'goodword.sqlite3'}"
    await migrations.upgrade(url)
    yield url


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an installation with an empty database, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    assert goodword(folder, "migrate").returncode == 0
    return folder


@pytest.fixture
def folder(migrated: Path, tmp_path: Path) -> Path:
    """Return the folder of an installation with an empty database."""
    return Path(shutil.copytree(migrated, tmp_path, dirs_exist_ok=True))


@pytest.fixture(scope="session")
def clock() -> Clock:
    return Clock()


def pytest_addoption(parser: pytest.Parser) -> None:
    help_text = "what the service under test has for a cache (default: its memory)"
    parser.addoption("--cache", choices=["memory", "valkey", "dead", "off"], default="memory", help=help_text)
    help_text = "how many examples of tests/model to draw anew, on both databases (default: a few, the same each time)"
    parser.addoption("--fuzz", type=int, default=0, metavar="EXAMPLES", help=help_text)


@pytest.fixture(scope="session")
def cache_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """The whole suite passes with any of them."""
    match request.config.getoption("--cache"):
        case "valkey":
            return {"redis_url": request.getfixturevalue("valkey_server").url}
        case "dead":
            return {"redis_url": "redis://127.0.0.1:1/0"}
        case "off":
            return {"cache": "off"}
    return {}


@pytest.fixture(scope="session")
async def shared_app(
    database_url: str, clock: Clock, cache_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FastAPI]:
    settings = settings_for(database_url, data_dir=tmp_path_factory.mktemp("data"), **cache_settings)
    async with running(create_app(settings, clock=clock)) as app:
        yield app


@pytest.fixture
async def app(shared_app: FastAPI, clock: Clock) -> AsyncIterator[FastAPI]:
    """The service with nobody in it yet."""
    clock.ahead = timedelta(0)
    forget_limits(shared_app)
    yield shared_app
    await shared_app.state.services.touches.flush()
    await empty(shared_app.state.services.database)
    Post(shared_app).clear()


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[Client]:
    async with client_of(app) as client:
        yield client


@pytest.fixture
def rows(app: FastAPI) -> Callable[..., Awaitable[list[Any]]]:
    """What stands in the database, for what no answer shows."""

    async def read(sql: str, **values: Any) -> list[Any]:
        return [tuple(row) for row in await app.state.services.database.rows(text(sql), **values)]

    return read


@pytest.fixture
def post(app: FastAPI) -> Iterator[Post]:
    """Does the jobs that are due, and hands out the letters that were written since it was last asked."""
    found = Post(app)
    yield found
    found.clear()


@pytest.fixture
async def alice(api: Client) -> Person:
    return await join(api, "alice", last_name="Liddell")


@pytest.fixture
async def bob(api: Client) -> Person:
    return await join(api, "bob")


@pytest.fixture
async def mallory(api: Client) -> Person:
    return await join(api, "mallory")


@pytest.fixture
async def rita(app: FastAPI, api: Client) -> Person:
    """Rita administers."""
    person = await join(api, "rita")
    async with app.state.services.database.transaction() as session:
        user_id = await administration.find_id(session, person.email)
        await administration.promote(session, app.state.services, user_id, now=app.state.services.clock())
    await person.start_session()
    return person


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Count the test functions and their cases, and the cases on each database."""
    ran = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    cases = {report.nodeid for report in ran if report.when == "call"}
    functions = {case.partition("[")[0] for case in cases}
    kinds = Counter(
        next((kind for kind in ("sqlite", "postgres") if kind in case.partition("[")[2]), "neither")
        for case in cases
    )
    counts = ", ".join(f"{count} on {kind}" for kind, count in sorted(kinds.items()))
    terminalreporter.write_line(f"{len(functions)} test functions, {len(cases)} cases: {counts}")
