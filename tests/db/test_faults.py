"""A PostgreSQL that refuses, rolls back, or does not answer: what requests get, and that they get it soon."""

import asyncio
import gc
import re
import socket
import time
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import text

from asgi import SECRET, client_of, running, settings_for
from goodword import migrations
from goodword.app import create_app
from goodword.config.settings import SettingsError
from goodword.db.database import Database
from people import PASSWORD, join, register, sign_in
from servers import frozen, postgres_server
from serving import free_port, goodword, working
from worker_probes import until as until_worker_is

UNAVAILABLE = (503, "database_unavailable")


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL whose transactions are serializable unless they say otherwise."""
    with postgres_server("--fsync=off", "--default_transaction_isolation=serializable") as server:
        asyncio.run(migrations.upgrade(server.url))
        yield server


@asynccontextmanager
async def service(server, tmp_path, url=None):
    settings = settings_for(url or server.url, data_dir=tmp_path, rate_limits="off", cache="off")
    async with running(create_app(settings)) as app, client_of(app) as client:
        yield client


@asynccontextmanager
async def administration(server):
    connection = await asyncpg.connect(server.url.replace("+asyncpg", ""))
    try:
        yield connection
    finally:
        await connection.close()


async def until(server, query):
    """Wait until the query has a row."""
    async with administration(server) as connection:
        while not await connection.fetch(query):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_serializable_default_does_not_matter(server, tmp_path):
    async with service(server, tmp_path) as client:
        alice = await join(client, "serial-alice")
        code = (await alice.post("/api/v1/me/referral-codes", {"lifetime": 3600})).json()["code"]
        answers = [
            await asyncio.gather(
                *(register(client, f"serial-{turn}-{number}", referral_code=code) for number in range(12))
            )
            for turn in range(3)
        ]

    assert {answer.status_code for turn in answers for answer in turn} == {201}


async def test_a_request_runs_again_after_a_deadlock(server, tmp_path, capsys):
    async with service(server, tmp_path) as client, administration(server) as other:
        await other.execute("SET deadlock_timeout = '60s'")  # so the service is the one that is rolled back
        transaction = other.transaction()
        await transaction.start()
        await other.execute("LOCK TABLE audit_events IN EXCLUSIVE MODE")
        registering = asyncio.create_task(register(client, "entangled"))
        await until(server, "SELECT 1 FROM pg_locks WHERE NOT granted")
        await other.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        await transaction.rollback()
        registered = await registering
        signed_in = await sign_in(client, "entangled@example.com")

    assert (registered.status_code, signed_in.status_code) == (201, 201)
    assert "runs again after a conflict of transactions" in capsys.readouterr().out


async def test_a_write_that_no_standby_has_is_not_replayed(server, tmp_path):
    """The end of its connection commits it on the primary alone. It is lost if that fails."""
    is_waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    account = {"email": "unreplicated@example.com", "password": PASSWORD}

    async with service(server, tmp_path) as client, administration(server) as other:

        async def send():
            return await client.post("/api/v1/users", json=account, headers={"Idempotency-Key": "a-key"})

        await other.execute("ALTER SYSTEM SET synchronous_standby_names = 'absent'")
        await other.execute("SELECT pg_reload_conf()")
        try:
            first = asyncio.create_task(send())
            await until(server, is_waiting)
            await other.execute(f"SELECT pg_terminate_backend(pid) FROM ({is_waiting}) AS waiting")
            failed = await first
            again = asyncio.create_task(send())
            await asyncio.wait(
                {again, asyncio.create_task(until(server, is_waiting))}, return_when=asyncio.FIRST_COMPLETED
            )
            was_replayed = again.done()
        finally:
            await other.execute("ALTER SYSTEM RESET synchronous_standby_names")
            await other.execute("SELECT pg_reload_conf()")
        replayed = await again

    assert (failed.status_code, was_replayed) == (503, False)
    assert (replayed.status_code, replayed.headers["Idempotency-Replayed"]) == (201, "true")


async def test_a_schema_that_is_missing_is_named(server, tmp_path, capsys):
    """As during a restore."""
    async with service(server, tmp_path) as client, administration(server) as other:
        await other.execute("ALTER SCHEMA public RENAME TO elsewhere; CREATE SCHEMA public")
        try:
            answers = [
                await client.get("/api/v1/referral-codes/7KQ2M9XWPA"),
                await register(client, "early"),
                await sign_in(client, "early@example.com"),
            ]
            ready = await client.get("/readyz")
        finally:
            await other.execute("DROP SCHEMA public; ALTER SCHEMA elsewhere RENAME TO public")
        after = await register(client, "early")

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [UNAVAILABLE] * 3
    assert (ready.status_code, ready.json()["checks"]["schema"]) == (503, "down")
    assert "The database schema is not current." in capsys.readouterr().out
    assert after.status_code == 201


async def test_reads_and_writes_end_while_the_server_is_frozen(server, tmp_path, capsys):
    async with service(server, tmp_path) as client:
        assert (await register(client, "cold")).status_code == 201
        await until(server, "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT 1'")  # it is watched
        with frozen(server):
            answers = await asyncio.gather(
                client.get("/api/v1/referral-codes/7KQ2M9XWPA"),
                register(client, "colder"),
                sign_in(client, "cold@example.com"),
            )
        after = await signed_in(client, "cold@example.com")

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [UNAVAILABLE] * 3
    assert after.status_code == 201
    assert "the database does not answer: its connections are closed" in capsys.readouterr().out


async def test_a_worker_leaves_a_frozen_server(server, tmp_path):
    port = free_port()
    settings = {"DATABASE_URL": server.url, "SECRET_KEY": SECRET, "WORKER_HEALTH_PORT": str(port)}
    with working(tmp_path, **settings):
        await until_worker_is(port, 200)
        await until(server, "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT 1'")
        with frozen(server):
            await until_worker_is(port, 503)
        await until_worker_is(port, 200)

    assert "the database does not answer: its connections are closed" in (tmp_path / "worker.log").read_text()


async def signed_in(client, email):
    """Return the answer to a sign-in that is repeated while it is 503."""
    answer = await sign_in(client, email)
    if answer.status_code == 503:
        await asyncio.sleep(0.1)
        return await signed_in(client, email)
    return answer


async def test_a_frozen_host_is_left_for_the_next(server, tmp_path):
    """The first host accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        places = f"127.0.0.1:{silent.getsockname()[1]}", urlsplit(server.url).netloc.rpartition("@")[2]
        url = f"postgresql+asyncpg://postgres@/postgres?host={places[0]}&host={places[1]}"
        async with service(server, tmp_path, url=url) as client:
            answers = await asyncio.gather(*(register(client, f"moved{number}") for number in range(3)))

    assert {answer.status_code for answer in answers} == {201}


async def test_a_pause_of_the_process_is_not_silence_of_the_server(server, monkeypatch):
    monkeypatch.setattr("goodword.db.server_watch.STEP_SECONDS", 0.05)
    database = Database(server.url)
    async with database.transaction() as session:
        await session.execute(text("SELECT 2"))
        watching = asyncio.create_task(database.watch())
        for _ in range(5):
            await asyncio.sleep(0)  # it begins to connect
        time.sleep(1.1)  # noqa: ASYNC251  longer than all steps together, as on a busy machine
        await until(server, "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT 1'")
        two = await session.scalar(text("SELECT 2"))
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await database.close()
    # asyncpg leaves an error that nothing reads if its time limit ends it at this place.
    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda *_: None)
    gc.collect()
    loop.set_exception_handler(handler)

    assert two == 2


@asynccontextmanager
async def interrupted_host(part):
    """Yield the address of a server that closes each connection after part of a message, as if it was killed."""

    async def greet(reader, writer):
        await reader.read(8)
        writer.write(b"N")  # no TLS
        await reader.read(1000)
        writer.write(part)
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as host:
        yield f"127.0.0.1:{host.sockets[0].getsockname()[1]}"


PARTS = pytest.mark.parametrize("part", [b"", b"R\0\0\0\5\0"], ids=["nothing", "half a message"])


@PARTS
async def test_a_host_that_is_killed_while_it_admits_a_client_is_left_for_the_next(server, tmp_path, part):
    async with interrupted_host(part) as first:
        second = urlsplit(server.url).netloc.rpartition("@")[2]
        url = f"postgresql+asyncpg://postgres@/postgres?host={first}&host={second}"
        async with service(server, tmp_path, url=url) as client:
            answer = await register(client, f"admitted{len(part)}")

    assert answer.status_code == 201


@PARTS
async def test_a_server_that_is_killed_while_it_admits_a_client_is_unavailable(server, tmp_path, part):
    async with (
        interrupted_host(part) as place,
        service(server, tmp_path, url=f"postgresql+asyncpg://postgres@{place}/postgres") as client,
    ):
        answer = await register(client, "refused")

    assert (answer.status_code, answer.json()["code"]) == UNAVAILABLE


async def test_a_connection_that_is_given_up_leaves_no_error_in_the_log(server, caplog):
    for steps in range(40):
        database = Database(server.url)
        reading = asyncio.create_task(database.row(text("SELECT 1")))
        for _ in range(steps):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await database.close()
    await until(
        server, "SELECT 1 WHERE (SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL) = 1"
    )
    gc.collect()

    assert "never retrieved" not in caplog.text


async def test_a_pause_of_the_process_leaves_no_error_in_the_log(server, caplog, monkeypatch):
    monkeypatch.setattr("goodword.db.server_watch.STEP_SECONDS", 0.005)
    for steps in range(8):
        database = Database(server.url)
        reading = asyncio.create_task(database.row(text("SELECT 1")))
        for _ in range(steps):
            await asyncio.sleep(0.0005)  # it begins to connect
        time.sleep(0.12)  # noqa: ASYNC251  longer than all steps together
        await asyncio.gather(reading, return_exceptions=True)
        await database.close()
        await asyncio.sleep(0.01)  # the connection that was given up closes
    gc.collect()

    assert "never retrieved" not in caplog.text


def test_migrate_ends_while_the_server_is_frozen(server, tmp_path):
    with frozen(server):
        done = goodword(tmp_path, "migrate", DATABASE_URL=server.url, SECRET_KEY=SECRET)

    assert done.returncode == 2
    assert re.search("no PostgreSQL server answers|did not answer in time", done.stderr)


async def test_migrate_ends_when_the_server_freezes(server, tmp_path):
    """While it waits for another migration."""
    async with administration(server) as other:
        await other.execute(f"SELECT pg_advisory_lock({migrations.LOCK})")
        waiting = asyncio.create_task(migrations.upgrade(server.url))
        await until(server, "SELECT 1 FROM pg_locks WHERE NOT granted")
        await until(server, "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT 1'")
        with frozen(server), pytest.raises(SettingsError, match="no PostgreSQL server answers"):
            await waiting
