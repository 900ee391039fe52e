"""The database is away when the service starts."""

import asyncio

import pytest

from asgi import client_of, running, settings_for
from database_away import away, database, reachable
from fresh_database import fresh_database
from goodword import migrations
from goodword.app import create_app
from goodword.config.settings import SettingsError
from people import register

__all__ = ["database"]  # a fixture


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr("goodword.composition.WAIT_SECONDS", 0.05)


@pytest.fixture
async def bare_database(postgres_url):
    async with fresh_database(postgres_url) as url:
        yield url


async def ready(client):
    """Wait until the service is ready, and return the answer."""
    async with asyncio.timeout(30):
        while True:
            answer = await client.get("/readyz")
            if answer.status_code == 200:
                return answer.json()
            await asyncio.sleep(0.02)


async def test_the_service_waits_for_its_database(database, capsys):
    here, there = database
    async with running(create_app(settings_for(there))) as app, client_of(app) as client:
        unready, alive = await client.get("/readyz"), await client.get("/livez")
        refused = [await client.get("/api/v1/referral-codes/7KQ2M9XWPA"), await register(client, "alice")]
        await asyncio.sleep(0.2)
        said = capsys.readouterr().out
        async with reachable(here, there):
            assert (await ready(client))["status"] == "ok"
            joined = await register(client, "alice")

    assert (unready.status_code, unready.json()["checks"]["database"]) == (503, "down")
    assert alive.status_code == 200
    assert [(one.status_code, one.json()["code"]) for one in refused] == [(503, "database_unavailable")] * 2
    assert said.count("no PostgreSQL server answers") == 1
    assert joined.status_code == 201


async def test_the_service_migrates_the_database_for_which_it_waited(database):
    here, there = database
    app = create_app(settings_for(there), migrate=True)
    async with running(app), client_of(app) as client:
        assert (await client.get("/readyz")).status_code == 503
        async with reachable(here, there):
            await ready(client)


async def test_a_database_that_comes_without_its_schema_is_waited_for(bare_database, capsys):
    here, there = bare_database, away(bare_database)
    app = create_app(settings_for(there))
    async with running(app), client_of(app) as client, reachable(here, there):
        async with asyncio.timeout(30):
            said = ""
            while "schema is not current" not in said:
                await asyncio.sleep(0.02)
                said += capsys.readouterr().out
        assert (await client.get("/readyz")).status_code == 503
        await migrations.upgrade(here)
        await ready(client)


async def test_a_database_that_is_there_without_its_schema_stops_the_start(bare_database):
    with pytest.raises(SettingsError, match="schema is not current"):
        async with running(create_app(settings_for(bare_database))):
            pass


async def test_a_service_that_waits_can_be_stopped(database):
    async with asyncio.timeout(10), running(create_app(settings_for(database[1]))):
        pass
