"""F11: accounts in a restored backup are erased again."""

import asyncio
import re
import shutil
import signal
import sqlite3
import time
import uuid
from contextlib import closing

import pytest
from sqlalchemy import text

from asgi import client_of, run_due_jobs, running, settings_for
from audit_table import unguarded
from goodword import migrations
from goodword.app import create_app
from goodword.config.settings import SettingsError
from goodword.db.database import Database
from goodword.privacy import erasure, tombstones
from goodword.tables import Base
from goodword.users import service as users
from people import PASSWORD, join, make_code, sign_in
from serving import goodword, working

pytestmark = pytest.mark.one_database

LINE = re.compile(rb"1 [0-9a-f]{64} \S+\n")


async def back_up(settings):
    """What is in the database: a copy of the file, or every row."""
    if settings.embedded:
        file = settings.data_dir / "goodword.sqlite3"
        copy = file.with_name("backup.sqlite3")
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        return copy
    database = Database(settings.database)
    async with database.readers() as session:
        kept = {
            table.name: [dict(row._mapping) for row in await session.execute(table.select())]
            for table in Base.metadata.sorted_tables
        }
    await database.close()
    return kept


async def restore(settings, backup):
    if settings.embedded:
        file = settings.data_dir / "goodword.sqlite3"
        for old in settings.data_dir.glob("goodword.sqlite3*"):
            old.unlink()
        shutil.copy(backup, file)
        return
    database = Database(settings.database)
    async with database.transaction() as session, unguarded(session):
        for table in reversed(Base.metadata.sorted_tables):
            await session.execute(table.delete())
        for table in Base.metadata.sorted_tables:
            if backup[table.name]:
                await session.execute(table.insert(), backup[table.name])
    await database.close()


async def erase_after_backup(settings):
    """Alice and Bob join, a backup is made, Alice is erased. Her id."""
    async with running(create_app(settings)) as app, client_of(app) as api:
        alice, _ = await join(api, "alice"), await join(api, "bob")
        await make_code(alice, code="ALICES-OWN")
        backup = await back_up(settings)
        assert (await alice.delete("/api/v1/me", json={"password": PASSWORD})).status_code == 204
    return alice, backup


@pytest.mark.both_databases
async def test_f11_an_account_in_a_restored_backup_is_erased_again(installation):
    alice, backup = await erase_after_backup(installation)
    await restore(installation, backup)

    async with running(create_app(installation)) as app, client_of(app) as api:
        alice.api = api
        assert (await sign_in(api, alice.email)).status_code == 401
        assert (await alice.get("/api/v1/me")).status_code == 401
        assert (await api.get("/api/v1/referral-codes/ALICES-OWN")).status_code == 404
        assert (await sign_in(api, "bob@example.com")).status_code == 201
        erased = await app.state.services.database.rows(text("SELECT email, status FROM users ORDER BY id"))
        assert [tuple(row) for row in erased] == [(None, "erased"), ("bob@example.com", "active")]
        events = "SELECT count(*) FROM audit_events WHERE action = 'user.erased' AND actor = 'system'"
        assert (await app.state.services.database.rows(text(events)))[0][0] == 1


@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_f11_the_file_of_another_node_erases_again(installation, tmp_path, monkeypatch):
    monkeypatch.setattr(tombstones, "MIRROR_SECONDS", 0.05)
    other = installation.model_copy(update={"data_dir": tmp_path / "other"})
    async with running(create_app(other)):
        alice, backup = await erase_after_backup(installation)
        file = other.data_dir / "tombstones"
        async with asyncio.timeout(30):
            while not file.exists() or not LINE.fullmatch(file.read_bytes()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
    assert LINE.fullmatch(file.read_bytes()), "it is added once"
    await restore(installation, backup)

    async with running(create_app(other)) as app, client_of(app) as api:
        answers = await sign_in(api, alice.email), await sign_in(api, "bob@example.com")
    assert [answer.status_code for answer in answers] == [401, 201]


def set_like(settings):
    """The same installation, for a process of its own."""
    return {
        "DATABASE_URL": settings.database,
        "DATA_DIR": str(settings.data_dir),
        "SECRET_KEY": settings.secret.decode(),
    }


async def people_of(settings):
    database = Database(settings.database)
    try:
        return [
            tuple(row) for row in await database.rows(text("SELECT email, status FROM users ORDER BY id"))
        ]
    finally:
        await database.close()


@pytest.mark.both_databases
async def test_f11_a_worker_that_starts_first_sends_nothing_to_erased_users(installation, tmp_path):
    """Restore a backup with waiting messages, of which the one to Alice is the first."""
    _, backup = await erase_after_backup(installation)
    await restore(installation, backup)
    messages = installation.data_dir / "emails"

    with working(tmp_path, **set_like(installation)) as worker:
        deadline = time.monotonic() + 90
        while not any("bob@example.com" in message.read_text() for message in messages.glob("*.eml")):
            assert worker.poll() is None, (tmp_path / "worker.log").read_text()
            assert time.monotonic() < deadline, "no message was sent"
            await asyncio.sleep(0.05)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=60) == 0

    assert not [message for message in messages.glob("*.eml") if "alice" in message.read_text().lower()]
    assert await people_of(installation) == [(None, "erased"), ("bob@example.com", "active")]
    assert "erased again" in (tmp_path / "worker.log").read_text()


@pytest.mark.parametrize(
    "command",
    [
        ["jobs", "list"],
        ["users", "find", "example.com"],
        ["admin", "create", "--promote", "bob@example.com"],
        ["oauth-client", "list"],
    ],
    ids=" ".join,
)
async def test_f11_a_command_that_runs_first_erases_again(installation, tmp_path, command):
    _, backup = await erase_after_backup(installation)
    await restore(installation, backup)

    done = goodword(tmp_path, *command, **set_like(installation))

    assert done.returncode == 0, done.stderr
    assert "alice" not in done.stdout
    assert "erased again" in done.stderr
    assert "erased again" not in done.stdout
    assert await people_of(installation) == [(None, "erased"), ("bob@example.com", "active")]


async def test_f11_a_dead_message_to_an_erased_user_is_not_sent_again(installation, tmp_path):
    """`jobs retry` as the first command after a restore."""
    async with running(create_app(installation)) as app, client_of(app) as api:
        alice = await join(api, "alice")
        async with app.state.services.database.transaction() as session:
            dead = "UPDATE jobs SET outcome = 'dead', finished_at = created_at, attempts = 10"
            await session.execute(text(dead))
        backup = await back_up(installation)
        assert (await alice.delete("/api/v1/me", json={"password": PASSWORD})).status_code == 204
    await restore(installation, backup)

    done = goodword(tmp_path, "jobs", "retry", "--kind", "verify_email", **set_like(installation))

    assert done.returncode == 1
    assert done.stderr.endswith("There is no such failed job.\n")


async def test_f11_with_another_secret_no_command_touches_a_restored_database(installation, tmp_path):
    """With the wrong key no tombstone fits anybody, and all would be taken for dealt with."""
    _, backup = await erase_after_backup(installation)
    await restore(installation, backup)
    wrong = set_like(installation) | {"SECRET_KEY": "another secret, that is long enough too"}

    for command in (["worker"], ["jobs", "list"], ["users", "find", "example.com"]):
        done = goodword(tmp_path, *command, **wrong)
        assert (done.returncode, "is not the secret" in done.stderr) == (2, True), done.stderr
    assert await people_of(installation) == [("alice@example.com", "active"), ("bob@example.com", "active")]
    assert goodword(tmp_path, "jobs", "list", **set_like(installation)).returncode == 0
    assert await people_of(installation) == [(None, "erased"), ("bob@example.com", "active")]


async def test_f08_the_database_file_keeps_no_deleted_data(tmp_path):
    """On SQLite: what was removed is overwritten, and at the end of the service the log is written back."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'goodword.sqlite3'}"
    await migrations.upgrade(url)
    await erase_after_backup(settings_for(url, data_dir=tmp_path))

    content = (tmp_path / "goodword.sqlite3").read_bytes().lower()
    assert b"bob@example.com" in content
    assert not [word for word in (b"alice", b"liddell", b"alices-own") if word in content]
    assert not (tmp_path / "goodword.sqlite3-wal").exists()


async def test_f08_the_database_log_keeps_no_deleted_data(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path / 'goodword.sqlite3'}"
    await migrations.upgrade(url)
    async with running(create_app(settings_for(url, data_dir=tmp_path))) as app, client_of(app) as api:
        alice, _ = await join(api, "alice"), await join(api, "bob")
        await make_code(alice, code="ALICES-OWN")
        assert (await alice.delete("/api/v1/me", json={"password": PASSWORD})).status_code == 204
        await run_due_jobs(app)

        content = b"".join(path.read_bytes().lower() for path in tmp_path.glob("goodword.sqlite3*"))
    assert b"bob@example.com" in content
    assert not [word for word in (b"alice", b"liddell", b"alices-own") if word in content]


async def test_f11_the_file_contains_no_personal_data(installation):
    alice, _ = await erase_after_backup(installation)

    content = (installation.data_dir / "tombstones").read_bytes()
    assert LINE.fullmatch(content)
    assert uuid.UUID(alice.id).hex.encode() not in content
    assert (installation.data_dir / "tombstones").stat().st_mode & 0o777 == 0o600


async def test_f11_invalid_lines_are_ignored(installation, capsys):
    alice, backup = await erase_after_backup(installation)
    file = installation.data_dir / "tombstones"
    rubbish = b"\xff\xfe\n1 12 now\n" + b"x" * 100_000 + b"\n2 " + b"a" * 64 + b" 2030-01-01\n"
    rubbish += b"1 " + b"b" * 64 + b" 9999-99-99\n1 " + b"c" * 64 + b" 0001-01-01T00:00:00+23:59\n"
    file.write_bytes(rubbish + file.read_bytes() + b"1 " + b"d" * 30)
    await restore(installation, backup)

    async with running(create_app(installation)) as app, client_of(app) as api:
        assert (await sign_in(api, alice.email)).status_code == 401
        told = re.findall(
            r"is ignored\W.*line\W+\D*(\d+)", re.sub(r"\x1b\[\d+m", "", capsys.readouterr().out)
        )
        assert {"1", "2", "3", "4", "5", "6", "8"} <= set(told)
        bob = await sign_in(api, "bob@example.com")
        headers = {"Authorization": f"Bearer {bob.json()['access_token']}"}
        gone = await api.request("DELETE", "/api/v1/me", json={"password": PASSWORD}, headers=headers)
        assert gone.status_code == 204
    assert LINE.fullmatch(file.read_bytes().splitlines(keepends=True)[-1])
    assert b"\n1 " + b"d" * 30 + b"\n" in file.read_bytes(), "what comes later has a line of its own"


async def test_f11_an_unreadable_file_prevents_the_start(installation):
    (installation.data_dir / "tombstones").mkdir(parents=True)

    with pytest.raises(SettingsError, match=r"tombstones.*cannot be read"):
        async with running(create_app(installation)):
            pass


async def test_f11_a_lost_file_is_restored_from_the_database(installation):
    await erase_after_backup(installation)
    (installation.data_dir / "tombstones").unlink()

    async with running(create_app(installation)):
        pass

    assert (installation.data_dir / "tombstones").exists()
    assert LINE.fullmatch((installation.data_dir / "tombstones").read_bytes())


async def test_f11_an_erasure_succeeds_if_the_file_is_not_writable(installation, capsys):
    async with running(create_app(installation)) as app, client_of(app) as api:
        alice = await join(api, "alice")
        (installation.data_dir / "tombstones").mkdir()  # root writes even where it may not
        assert (await alice.delete("/api/v1/me", json={"password": PASSWORD})).status_code == 204
        assert (await sign_in(api, alice.email)).status_code == 401
    assert "could not be written" in capsys.readouterr().out
    (installation.data_dir / "tombstones").rmdir()

    async with running(create_app(installation)):
        pass
    assert LINE.fullmatch((installation.data_dir / "tombstones").read_bytes())


@pytest.mark.both_databases
async def test_f11_an_erasure_that_is_rolled_back_writes_nothing(installation):
    """Or the next start would erase somebody who never was."""
    async with running(create_app(installation)) as app, client_of(app) as api:
        alice = await join(api, "alice")
        async with app.state.services.database.transaction() as session:
            user = await users.lock(session, uuid.UUID(alice.id))
            savepoint = await session.begin_nested()
            await erasure.erase(session, app.state.services, user)
            await savepoint.rollback()
    assert not (installation.data_dir / "tombstones").exists()

    async with running(create_app(installation)) as app, client_of(app) as api:
        assert (await sign_in(api, alice.email)).status_code == 201


async def test_f11_an_account_missing_from_the_backup_is_searched_once(installation, monkeypatch):
    before = await back_up(installation)
    await erase_after_backup(installation)
    await restore(installation, before)
    async with running(create_app(installation)):
        pass

    monkeypatch.setattr("goodword.privacy.tombstones._ACCOUNTS", "no statement")  # fails if it is run
    async with running(create_app(installation)):
        pass


def test_f11_the_command_writes_the_file(folder):
    done = goodword(folder, "admin", "create", "rita@example.com", "--password-stdin", stdin=PASSWORD)
    assert done.returncode == 0, done.stderr
    erased = goodword(folder, "users", "erase", "--yes", "rita@example.com")

    assert erased.returncode == 0, erased.stderr
    assert LINE.fullmatch((folder / "data" / "tombstones").read_bytes())
