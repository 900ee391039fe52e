"""Each reason for which a database cannot be used has a message of its own, at the start and in the log."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import asyncpg
import pytest

from asgi import client_of, running, settings_for
from goodword import migrations
from goodword.app import create_app
from goodword.config.postgres_url import normalise
from people import register
from servers import postgres_server
from serving import goodword
from test_settings import SECRET, load_from

CLOSED = "127.0.0.1:9"
WAITED_FOR = (
    "host name of GOODWORD_DATABASE_URL cannot be resolved",
    "no PostgreSQL server answers",
    "has the role that its target_session_attrs requires",
)


@pytest.fixture(scope="module")
def guarded():
    """Yield the address of a PostgreSQL that requires a password of `goodword` and TLS of `other`."""
    with (
        TemporaryDirectory() as folder
    ):  # the server, which runs as another user, cannot read the folders of pytest
        Path(folder).chmod(0o755)
        rules = Path(folder) / "pg_hba.conf"
        rules.write_text(
            "host all postgres all trust\nhost all goodword all scram-sha-256\nhostssl all other all trust\n"
        )
        with postgres_server(f"--hba_file={rules}") as server:
            asyncio.run(add_users(server.url.replace("+asyncpg", "")))
            yield urlsplit(server.url).netloc.rpartition("@")[2]


async def add_users(url):
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE USER goodword PASSWORD 'right'; CREATE USER other")
    await connection.close()


WRONG_ADDRESSES = [
    ("goodword:wrong@{server}/postgres", "refuses the user and password"),
    ("nobody:wrong@{server}/postgres", "does not admit this user"),
    ("other@{server}/postgres", "does not admit this user from this machine, or not without TLS"),
    ("postgres@{server}/missing", "has no database of the name"),
    ("postgres@nowhere.invalid/postgres", "host name of GOODWORD_DATABASE_URL cannot be resolved"),
    (f"postgres@{CLOSED}/postgres", "no PostgreSQL server answers"),
    ("postgres@/postgres?host=/nothing", "no PostgreSQL server answers"),
    ("postgres@{server}/postgres?sslmode=require", "does not offer TLS"),
    ("postgres@{server}/postgres?ssl=often", "GOODWORD_DATABASE_URL cannot be used"),
    (
        "postgres@{server}/postgres?target_session_attrs=standby",
        "has the role that its target_session_attrs requires",
    ),
]
COMMANDS = [("jobs", "list"), ("migrate",), ("worker",)]


@pytest.mark.parametrize(
    ("command", "url", "reason"),
    [
        (command, url, reason)
        for command in COMMANDS
        for url, reason in WRONG_ADDRESSES
        if command != ("worker",) or reason not in WAITED_FOR  # see jobs/test_worker_outages.py
    ],
)
def test_each_wrong_address_has_its_own_message(tmp_path, guarded, command, url, reason):
    settings = {"DATABASE_URL": f"postgresql+asyncpg://{url.format(server=guarded)}", "SECRET_KEY": SECRET}

    done = goodword(tmp_path, *command, **settings)

    assert done.returncode == 2
    assert reason in done.stderr
    assert "wrong" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("postgres://u:p@db/x", "postgresql+asyncpg://u:p@db/x"),
        ("postgresql://u:p@db/x?sslmode=require", "postgresql+asyncpg://u:p@db/x?ssl=require"),
        (
            "postgresql+asyncpg://u:a%40b%3F@db/x?sslmode=verify-full",
            "postgresql+asyncpg://u:a%40b%3F@db/x?ssl=verify-full",
        ),
        (
            "postgresql+asyncpg://u@/x?host=db&sslmode=disable",
            "postgresql+asyncpg://u@/x?host=db&ssl=disable",
        ),
        ("postgresql+asyncpg://u:12?sslmode=@db/x", "postgresql+asyncpg://u:12?sslmode=@db/x"),
    ],
)
def test_words_of_libpq_are_translated(tmp_path, given, read):
    assert normalise(given) == read
    assert load_from(tmp_path, DATABASE_URL=given, SECRET_KEY=SECRET).database == read


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("sslmode=require&channel_binding=require", "does not take the option channel_binding: leave it out"),
        ("sslrootcert=/etc/hunter2.crt", "sslrootcert: set the environment variable PGSSLROOTCERT"),
        ("connect_timeout=3", "connect_timeout: leave it out"),
        ("pgbouncer=true", "pgbouncer: set GOODWORD_PGBOUNCER=on"),
        ("sslmode=require&ssl=prefer", "sslmode: give either ssl or sslmode, once"),
        ("sslmode=require&sslmode=prefer", "sslmode: give either ssl or sslmode, once"),
        ("hunter2=1", "takes no option but host, port"),
    ],
)
def test_words_of_libpq_without_a_counterpart_are_refused_by_name(tmp_path, query, says):
    url = f"postgresql://goodword@db/goodword?{query}"

    done = goodword(tmp_path, "config", DATABASE_URL=url, SECRET_KEY=SECRET)

    assert done.returncode == 2
    assert says in done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_full_disk_is_named_in_the_log(tmp_path, capsys):
    """SQLite answers as on a full disk when its file may not grow."""
    url = f"sqlite+aiosqlite:///{tmp_path}/goodword.sqlite3"
    await migrations.upgrade(url)
    async with running(create_app(settings_for(url))) as app, client_of(app) as client:
        async with app.state.services.database.write_engine.connect() as connection:  # the only one
            await connection.exec_driver_sql("PRAGMA max_page_count = 1")
        for number in range(40):
            answer = await register(client, f"person{number}")
            if answer.status_code != 201:
                break

    assert (answer.status_code, answer.json()["code"]) == (503, "storage_full")
    assert "The disk of the database is full." in capsys.readouterr().out


async def test_a_read_only_database_is_named_in_readyz_and_in_the_log(tmp_path, capsys):
    file = tmp_path / "goodword.sqlite3"
    await migrations.upgrade(f"sqlite+aiosqlite:///{file}")
    async with running(create_app(settings_for(f"sqlite+aiosqlite:///{file}"))):
        pass  # makes the signing key
    settings = settings_for(f"sqlite+aiosqlite:///file:{file}?mode=ro&uri=true", data_dir=tmp_path)
    async with running(create_app(settings)) as app, client_of(app) as client:
        assert "the database cannot be written" in capsys.readouterr().out
        ready = await client.get("/readyz")
        registered = await register(client, "alice")

    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["checks"]["storage"] == "read_only"
    assert registered.status_code == 503
    assert "The database is read-only." in capsys.readouterr().out


async def test_a_read_only_postgres_is_named_in_readyz_and_in_the_log(guarded, capsys):
    url = f"postgresql+asyncpg://postgres@{guarded}/postgres"
    await migrations.upgrade(url)
    server = await asyncpg.connect(url.replace("+asyncpg", ""))
    await server.execute("SET default_transaction_read_only = off")  # for this connection
    try:
        async with running(create_app(settings_for(url))) as app, client_of(app) as client:
            assert (await client.get("/readyz")).json()["checks"]["storage"] == "ok"
            await server.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            await server.execute("SELECT pg_reload_conf()")
            await asyncio.sleep(0.5)
            ready = await client.get("/readyz")
            registered = await register(client, "alice")
            await server.execute("ALTER SYSTEM RESET default_transaction_read_only")
            await server.execute("SELECT pg_reload_conf()")
    finally:
        await server.close()

    assert (ready.status_code, ready.json()["checks"]["storage"]) == (200, "read_only")
    assert (registered.status_code, registered.json()["code"]) == (503, "database_unavailable")
    assert "The database is read-only." in capsys.readouterr().out


@pytest.mark.parametrize("is_replaced", [False, True], ids=["deleted", "replaced"])
async def test_a_file_that_is_gone_is_not_written(tmp_path, capsys, is_replaced):
    """SQLite would go on with the file that it has open, and lose everything at the end of the process."""
    file, copy = tmp_path / "goodword.sqlite3", tmp_path / "copy.sqlite3"
    url = f"sqlite+aiosqlite:///{file}"
    await migrations.upgrade(url)
    shutil.copy(file, copy)
    async with running(create_app(settings_for(url))) as app, client_of(app) as client:
        assert (await register(client, "alice")).status_code == 201
        moved = file.rename(tmp_path / "moved.sqlite3")
        if is_replaced:
            copy.rename(file)
        refused = [await register(client, "bob"), await client.get("/api/v1/referral-codes/7KQ2M9XWPA")]
        ready = await client.get("/readyz")
        assert file.exists() == is_replaced
        moved.rename(file)
        assert (await register(client, "bob")).status_code == 201

    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [
        (503, "database_unavailable")
    ] * 2
    assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "down")
    assert "The database file was deleted or replaced" in capsys.readouterr().out


async def test_a_lock_held_by_another_program_is_named(tmp_path, capsys):
    file = tmp_path / "goodword.sqlite3"
    url = f"sqlite+aiosqlite:///{file}"
    await migrations.upgrade(url)
    async with running(create_app(settings_for(url))) as app, client_of(app) as client:
        with closing(sqlite3.connect(file)) as other:
            other.execute("BEGIN IMMEDIATE")
            refused = await asyncio.gather(*(register(client, f"person{number}") for number in range(3)))
            found = await client.get("/api/v1/referral-codes/7KQ2M9XWPA")
        registered = await register(client, "alice")

    codes = {(answer.status_code, answer.json()["code"]) for answer in refused}
    assert codes == {(503, "database_unavailable")}
    assert (found.status_code, registered.status_code) == (404, 201), "reads do not wait"
    assert "Another transaction held a lock for too long." in capsys.readouterr().out


async def test_a_full_disk_is_named_in_readyz(tmp_path, monkeypatch):
    url = f"sqlite+aiosqlite:///{tmp_path}/goodword.sqlite3"
    await migrations.upgrade(url)
    async with running(create_app(settings_for(url))) as app, client_of(app) as client:
        monkeypatch.setattr(
            shutil, "disk_usage", lambda _folder: shutil._ntuple_diskusage(10**9, 10**9, 4096)
        )
        ready = await client.get("/readyz")

    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["checks"]["storage"] == "disk_full"
