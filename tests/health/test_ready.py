"""GET /livez and GET /readyz"""

import asyncio
import os
import signal

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from asgi import client_of, running, settings_for
from goodword.app import create_app
from people import register
from servers import postgres, valkey


@pytest.fixture
async def app_with_cache(app, database_url, valkey_server):
    settings = settings_for(database_url, redis_url=SecretStr(valkey_server.url))
    async with running(create_app(settings)) as other:
        yield other


async def test_livez_answers(api):
    answer = await api.get("/livez")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


async def test_readyz_answers(api):
    answer = await api.get("/readyz")

    assert answer.status_code == 200
    checks = dict.fromkeys(
        ("database", "schema", "cache", "replica", "storage", "keys", "clock", "worker"), "ok"
    )
    assert answer.json() == {"status": "ok", "checks": checks}


async def test_readyz_is_degraded_while_no_worker_runs_the_jobs(api, clock, post):
    assert (await register(api, "alice")).status_code == 201
    assert (await api.get("/readyz")).json()["checks"]["worker"] == "ok"

    clock.forward(minutes=3)
    late = (await api.get("/readyz")).json()
    assert (late["status"], late["checks"]["worker"]) == ("degraded", "degraded")

    assert await post()
    assert (await api.get("/readyz")).json()["status"] == "ok"


async def test_the_log_says_at_the_start_and_later_that_no_worker_runs(
    app, api, database_url, clock, post, monkeypatch, capsys
):
    monkeypatch.setattr("goodword.jobs.lateness.CHECK_SECONDS", 0.01)

    async def warnings_of_a_start():
        capsys.readouterr()
        async with running(create_app(settings_for(database_url), clock=clock)):
            await asyncio.sleep(0.3)
        return capsys.readouterr().out.count("start `goodword worker`")

    assert await warnings_of_a_start() == 1
    await register(api, "alice")
    clock.forward(minutes=3)
    assert await warnings_of_a_start() > 1
    await post()
    assert await warnings_of_a_start() == 0


async def test_readyz_is_degraded_without_the_cache(app, database_url):
    with valkey() as server:
        settings = settings_for(database_url, redis_url=SecretStr(server.url))
        async with running(create_app(settings)) as other, client_of(other) as client:
            assert (await client.get("/readyz")).json()["status"] == "ok"
            os.kill(server.pid, signal.SIGKILL)
            answer = await client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["checks"]["cache"] == "degraded"


async def test_readyz_is_degraded_with_a_frozen_cache(app_with_cache, valkey_server):
    os.kill(valkey_server.pid, signal.SIGSTOP)
    try:
        async with client_of(app_with_cache) as client:
            answer = await client.get("/readyz")
    finally:
        os.kill(valkey_server.pid, signal.SIGCONT)

    assert answer.json()["checks"]["cache"] == "degraded"


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    ],
    ids=["full", "read-only"],
)
async def test_readyz_is_degraded_with_a_cache_that_takes_no_writes(app_with_cache, redis, broken, mended):
    async with client_of(app_with_cache) as client:
        assert (await client.get("/readyz")).json()["checks"]["cache"] == "ok"
        await redis.execute_command(*broken)
        try:
            answer = await client.get("/readyz")
        finally:
            await redis.execute_command(*mended)

    assert (answer.status_code, answer.json()["checks"]["cache"]) == (200, "degraded")


FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$
"""


@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True, scope="session")
async def test_readyz_is_degraded_after_a_write_that_found_the_disk_of_postgres_full(
    app, database_url, monkeypatch
):
    async with running(create_app(settings_for(database_url))) as other, client_of(other) as client:
        async with app.state.services.database.transaction() as session:
            await session.execute(text(FULL))
            await session.execute(
                text("CREATE TRIGGER full_disk BEFORE INSERT ON users EXECUTE FUNCTION full_disk()")
            )
        try:
            refused = await register(client, "alice")
        finally:
            async with app.state.services.database.transaction() as session:
                await session.execute(text("DROP FUNCTION full_disk CASCADE"))
        ready = await client.get("/readyz")
        monkeypatch.setattr("goodword.db.database.FULL_SECONDS", 0)
        later = await client.get("/readyz")

    assert refused.status_code == 503
    assert (ready.status_code, ready.json()["checks"]["storage"]) == (200, "disk_full")
    assert later.json()["checks"]["storage"] == "ok"


async def test_only_livez_answers_without_the_database():
    from goodword import migrations

    with postgres() as url:
        await migrations.upgrade(url)
        app = create_app(settings_for(url))
        lifespan = running(app)
        await lifespan.__aenter__()
        client = client_of(app)
        assert (await client.get("/readyz")).status_code == 200

    ready = await client.get("/readyz")
    looked_up = await client.get("/api/v1/referral-codes/7KQ2M9XWPA")
    registered = await register(client, "alice")
    alive = await client.get("/livez")
    await client.aclose()
    await lifespan.__aexit__(None, None, None)

    assert ready.status_code == 503
    assert ready.json()["code"] == "not_ready"
    assert ready.json()["checks"]["database"] == "down"
    for answer in (looked_up, registered):
        assert answer.status_code == 503
        assert answer.json()["code"] == "database_unavailable"
    assert looked_up.headers["retry-after"] == "1"
    assert alive.status_code == 200
