"""Two nodes on a database of their own, in an event loop of their own: Hypothesis knows no `await`."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from goodword import migrations
from goodword.cache import lookup_cache, memory
from model.world import Time, World


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "model_database" in metafunc.fixturenames:
        kinds = ["sqlite", "postgres"] if metafunc.config.getoption("--fuzz") else ["sqlite"]
        metafunc.parametrize("model_database", kinds, indirect=True)


@pytest.fixture
def examples(request: pytest.FixtureRequest) -> int:
    """How many to draw anew; 0 for the few that are the same each time."""
    return request.config.getoption("--fuzz")


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def model_database(request: pytest.FixtureRequest, runner: asyncio.Runner, tmp_path: Path) -> str:
    """An empty database with the schema in place, that no other test uses."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'model.sqlite3'}"
    else:
        url = runner.run(_created(request.getfixturevalue("postgres_url")))
    runner.run(migrations.upgrade(url))
    return url


async def _created(server: str) -> str:
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.exec_driver_sql("DROP DATABASE IF EXISTS model")
        await connection.exec_driver_sql("CREATE DATABASE model")
    await engine.dispose()
    return make_url(server).set(database="model").render_as_string(hide_password=False)


@pytest.fixture
def world(
    model_database: str, runner: asyncio.Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    time = Time()
    # How long something is cached, the nodes measure with a stopwatch. It has to agree with their clock, and
    # nobody can wait for months.
    for module in (lookup_cache, memory):
        monkeypatch.setattr(module, "time", time)
    found = World(model_database, tmp_path, time)
    runner.run(found.open())
    yield found
    runner.run(found.close())
