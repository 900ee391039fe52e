"""`goodword backup` and `goodword restore`, and the nightly backup."""

import asyncio
import json
import os
import tarfile
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO

import pytest
from sqlalchemy import text

from asgi import client_of, running
from goodword.app import create_app
from goodword.backup import nightly
from goodword.db.database import Database
from people import PASSWORD, join, make_code, registration_of, sign_in
from servers import postgres_clients
from serving import command_on, goodword, serving
from sweeps import Sweep

pytestmark = pytest.mark.one_database


@pytest.fixture(autouse=True)
def programs(monkeypatch):
    """Find the client programs of the server of the tests."""
    monkeypatch.setenv("PATH", str(postgres_clients()), prepend=os.pathsep)


@pytest.fixture
def command(installation, tmp_path):
    """Return a function that runs a command with the settings of the installation, or with others."""
    return command_on(installation, tmp_path)


async def fill(settings):
    """Let Alice have a code, and Bob join with it."""
    async with running(create_app(settings)) as app, client_of(app) as api:
        alice = await join(api, "alice")
        code = (await make_code(alice))["code"]
        await join(api, "bob", referral_code=code)
        return alice, code


async def sign_ups(settings, code, done):
    """Sign up friends one after the other until told to end."""
    async with running(create_app(settings)) as app, client_of(app) as api:
        number = 0
        while not done.is_set():
            body = registration_of(f"friend{number}", referral_code=code)
            assert (await api.post("/api/v1/users", json=body)).status_code == 201
            number += 1


async def counts(settings):
    database = Database(settings.database)
    found = {}
    for table in ("users", "referrals", "referral_codes"):
        [row] = await database.rows(text(f"SELECT count(*) AS found FROM {table}"))
        found[table] = row.found
    await database.close()
    return found


@pytest.mark.both_databases
async def test_h29_a_backup_under_load_is_one_moment_and_works_on_an_empty_host(
    installation, command, tmp_path
):
    alice, code = await fill(installation)
    file, done = tmp_path / "one.backup", asyncio.Event()
    load = asyncio.create_task(sign_ups(installation, code, done))
    await asyncio.sleep(0)
    made = await asyncio.to_thread(command, "backup", file)
    done.set()
    await load
    assert made.returncode == 0, made.stderr
    assert file.stat().st_mode & 0o777 == 0o600

    restored = await asyncio.to_thread(command, "restore", "--force", file)

    assert restored.returncode == 0, restored.stderr
    found = await counts(installation)
    assert found["users"] == found["referrals"] + 1 >= 2
    assert f"{found['users']} users, 1 codes, {found['referrals']} referrals" in restored.stdout
    assert made.stdout.partition(": ")[2] in restored.stdout
    async with running(create_app(installation)) as app, client_of(app) as api:
        alice.api = api
        assert (await alice.get("/api/v1/me")).status_code == 200, "its keys decrypt"
        assert (await sign_in(api, "bob@example.com")).status_code == 201
        assert (await api.get(f"/api/v1/referral-codes/{code}")).status_code == 200


@pytest.mark.both_databases
async def test_f11_users_who_were_erased_since_are_erased_again(installation, command, tmp_path):
    await fill(installation)
    assert command("backup", tmp_path / "one.backup").returncode == 0
    await erase(installation, "alice@example.com")

    restored = command("restore", tmp_path / "one.backup", "--force")

    assert "erased after the backup: 1." in restored.stdout
    async with running(create_app(installation)) as app, client_of(app) as api:
        answers = [await sign_in(api, f"{name}@example.com") for name in ("alice", "bob")]
    assert [answer.status_code for answer in answers] == [401, 201]


@pytest.mark.both_databases
async def test_participants_who_were_erased_since_are_erased_again(installation, command, tmp_path):
    people = tmp_path / "people.ndjson"
    rows = [{"type": "user", "external_id": f"acme/{n}", "reported_email": "x@example.com"} for n in range(3)]
    people.write_text("\n".join(json.dumps(row) for row in rows))
    assert command("import", people).returncode == 0
    assert command("backup", tmp_path / "one.backup").returncode == 0
    assert command("users", "erase", "acme/1", "--yes").returncode == 0

    restored = command("restore", tmp_path / "one.backup", "--force")

    assert "erased after the backup: 1." in restored.stdout
    found = command("users", "find", "acme/").stdout
    assert [f"acme/{n}" in found for n in range(3)] == [True, False, True]


async def test_the_tombstones_beside_the_database_of_a_backup_count(installation, command, tmp_path):
    """The file may have more than the database, where that was restored before."""
    await fill(installation)
    command("backup", tmp_path / "old.backup")
    await erase(installation, "bob@example.com")
    erased = (installation.data_dir / "tombstones").read_bytes()

    def add_file(manifest, members):
        members["tombstones"] = erased
        manifest["members"]["tombstones"] = {"size": len(erased), "sha256": sha256(erased).hexdigest()}

    (tmp_path / "both.backup").write_bytes(rewritten(tmp_path / "old.backup", add_file))
    elsewhere = {"DATA_DIR": str(tmp_path / "elsewhere"), "DATABASE_URL": "", "SECRET_KEY": ""}

    restored = command("restore", tmp_path / "both.backup", **elsewhere)

    assert "erased after the backup: 1." in restored.stdout
    again = command("restore", "--force", tmp_path / "both.backup", **elsewhere)
    assert "erased after the backup: 1." in again.stdout
    kept = sorted(path.name.partition(".before")[0] for path in (tmp_path / "elsewhere").glob("*.before-*"))
    assert kept == ["goodword.sqlite3"], "the replaced database stays"


async def erase(settings, email):
    async with running(create_app(settings)) as app, client_of(app) as api:
        token = (await sign_in(api, email)).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        answer = await api.request("DELETE", "/api/v1/me", json={"password": PASSWORD}, headers=headers)
        assert answer.status_code == 204


def rewritten(file, change):
    """Return the contents of the backup with changed members."""
    with tarfile.open(file) as archive:
        members = {entry.name: archive.extractfile(entry).read() for entry in archive}
    manifest = json.loads(members.pop("manifest.json"))
    change(manifest, members)
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in {"manifest.json": json.dumps(manifest).encode(), **members}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, BytesIO(data))
    return content.getvalue()


async def test_a_damaged_or_foreign_file_changes_nothing(installation, command, tmp_path):
    await fill(installation)
    good = tmp_path / "good.backup"
    command("backup", good)
    content, before = good.read_bytes(), await counts(installation)
    middle = len(content) // 2
    cases = {
        "empty": (b"", "not a tar archive"),
        "no archive": (b"hello" * 1000, "not a tar archive"),
        "cut off": (content[:middle], "incomplete"),
        "a changed byte": (
            content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "damaged",
        ),
        "no manifest": (rewritten(good, lambda _, members: members.clear()), "missing"),
        "a later format": (rewritten(good, lambda found, _: found.update(format=2)), "manifest"),
        "a path": (rewritten(good, lambda _, members: members.update({"../evil": b""})), "unknown member"),
        "a newer schema": (rewritten(good, lambda found, _: found.update(revision="20990101_01")), "newer"),
        "another database": (rewritten(good, to_postgresql), "is of postgresql"),
    }
    with Sweep() as sweep:
        for name, (changed, reason) in cases.items():
            with sweep.case(name):
                bad = tmp_path / "bad.backup"
                bad.write_bytes(changed)
                refused = command("restore", "--force", bad)
                assert (refused.returncode, reason in refused.stderr) == (1, True), refused.stderr
                assert await counts(installation) == before
                assert not list(installation.data_dir.glob(".goodword-*"))
    assert not (tmp_path / "evil").exists()


def to_postgresql(manifest, members):
    manifest["database"] = "postgresql"
    manifest["members"]["database.dump"] = manifest["members"].pop("database.sqlite3")
    members["database.dump"] = members.pop("database.sqlite3")


@pytest.mark.both_databases
async def test_a_database_with_users_and_another_secret_are_not_replaced(installation, command, tmp_path):
    await fill(installation)
    file = tmp_path / "one.backup"
    command("backup", file)

    populated = command("restore", file)
    foreign = command("restore", "--force", file, SECRET_KEY="s" * 40)
    twice = command("backup", file)

    assert (populated.returncode, "has 2 users" in populated.stderr) == (1, True)
    assert (foreign.returncode, "SECRET_KEY is not the secret" in foreign.stderr) == (1, True)
    assert (twice.returncode, "exists" in twice.stderr) == (1, True)


async def test_a_database_in_use_is_not_replaced(tmp_path):
    with serving(tmp_path):
        made = goodword(tmp_path, "backup", "one.backup")
        refused = goodword(tmp_path, "restore", "--force", "one.backup")

    assert (made.returncode, refused.returncode) == (0, 1)
    assert "in use" in refused.stderr


@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_missing_programs_of_postgresql_are_named(installation, command, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    refused = command("backup", tmp_path / "one.backup")

    assert (refused.returncode, "pg_dump is not installed" in refused.stderr) == (1, True)
    assert not (tmp_path / "one.backup").exists()


async def test_the_worker_makes_a_backup_each_night(installation, command, tmp_path):
    await fill(installation)
    folder, moment = tmp_path / "nightly", datetime(2026, 3, 1, 1, 59, tzinfo=UTC)
    settings = installation.model_copy(update={"backup_dir": folder, "backup_keep": 2})
    async with running(create_app(settings, clock=lambda: moment)) as app:
        for later in (0, 0, 1, 23, 30, 48):
            moment += timedelta(hours=later)
            await nightly.make_backup(app.state.services)

    names = sorted(path.name for path in folder.glob("*.backup"))
    assert names == ["goodword-2026-03-03.backup", "goodword-2026-03-05.backup"]
    with tarfile.open(folder / names[-1]) as archive:
        assert set(archive.getnames()) == {"manifest.json", "database.sqlite3"}, "without the secret key"
    assert command("restore", "--force", folder / names[-1]).returncode == 0


@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_a_nightly_backup_that_fails_is_logged(installation, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = installation.model_copy(update={"backup_dir": tmp_path / "nightly"})
    async with running(create_app(settings)) as app:
        await nightly.make_backup(app.state.services)

    assert "the nightly backup failed" in capsys.readouterr().out
    assert not list((tmp_path / "nightly").glob("*goodword*"))
