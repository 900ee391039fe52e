"""What `goodword export` writes, `goodword import` reads."""

import json
import stat
from collections import Counter

import pytest
from anyio.to_thread import run_sync

from asgi import client_of, running
from goodword.app import create_app
from people import PASSWORD, join, make_code, sign_in
from serving import goodword

SOURCE = {"PASSWORD_HASH": "fast_for_tests"}


@pytest.fixture
def lively(folder, tmp_path):
    """Return the data folder of an installation on SQLite with users, codes, referrals and erased users."""
    assert goodword(folder, "demo").returncode == 0
    return folder / "data"


def read(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture
def source(lively, tmp_path):
    """Run a command on the lively installation."""
    return lambda *arguments: goodword(tmp_path, *map(str, arguments), DATA_DIR=str(lively))


async def test_all_that_is_exported_is_imported(source, lively, command, tmp_path):
    secret = (lively / "secret_key").read_text().strip()
    exported, again = tmp_path / "one.ndjson", tmp_path / "other.ndjson"
    assert source("export", exported, "--with-password-hashes").returncode == 0

    done = command("import", exported, "--with-administrators", SECRET_KEY=secret)
    assert (
        done.returncode,
        command("export", again, "--with-password-hashes", SECRET_KEY=secret).returncode,
    ) == (0, 0)

    assert again.read_bytes() == exported.read_bytes()
    found = read(exported)
    counts = Counter(record["type"] for record in found)
    assert counts["user"] > 200
    assert {"active", "erased", "disabled"} == {
        one.get("status", "active") for one in found if one["type"] == "user"
    }
    assert {one["status"] for one in found if one["type"] == "referral"} == {
        "pending",
        "confirmed",
        "rejected",
    }
    assert stat.S_IMODE(exported.stat().st_mode) == 0o600
    assert not list(tmp_path.glob("*.partial"))

    twice = command("import", exported, SECRET_KEY=secret)
    assert (twice.returncode, "Created 0 users, 0 codes, 0 referrals." in twice.stdout) == (0, True)


async def test_csv_is_as_good(source, lively, command, tmp_path):
    secret = (lively / "secret_key").read_text().strip()
    one, other = tmp_path / "one", tmp_path / "other"
    assert source("export", one, "--format", "csv", "--with-password-hashes").returncode == 0

    done = command("import", one, "--with-administrators", SECRET_KEY=secret)
    assert done.returncode == 0, done.stderr
    command("export", other, "--format", "csv", "--with-password-hashes", SECRET_KEY=secret)

    for name in ("users.csv", "codes.csv", "referrals.csv"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
        assert stat.S_IMODE((one / name).stat().st_mode) == 0o600


async def test_hashes_and_administrators_are_left_out_unless_asked_for(source, command, database, tmp_path):
    exported = tmp_path / "all.ndjson"
    source("export", exported)
    assert "password_hash" not in exported.read_text()

    command("import", exported)

    from sqlalchemy import text

    assert await database.rows(
        text("SELECT count(*) FROM users WHERE is_admin OR password_hash IS NOT NULL")
    ) == [(0,)]


async def test_codes_of_erased_users_need_the_same_secret(source, command, tmp_path):
    exported = tmp_path / "all.ndjson"
    source("export", exported)
    erased = {record["id"] for record in read(exported) if record["type"] == "code" and "code" not in record}

    done = command("import", exported)

    report = [json.loads(line) for line in (tmp_path / "all.ndjson.errors.ndjson").read_text().splitlines()]
    refused = Counter(found["code"] for found in report)
    assert (done.returncode, refused["mac_of_another_secret"]) == (1, len(erased))
    assert refused.keys() <= {"mac_of_another_secret", "code_unknown"}


async def test_standard_output_and_input(source, lively, installation, tmp_path):
    exported = source("export", "-")

    settings = {"DATABASE_URL": installation.database, "DATA_DIR": str(installation.data_dir)}
    settings["SECRET_KEY"] = (lively / "secret_key").read_text().strip()
    done = await run_sync(lambda: goodword(tmp_path, "import", "-", stdin=exported.stdout, **settings))

    assert (done.returncode, "Created 1 programs, 381 users" in done.stdout) == (0, True)


async def test_users_sign_in_with_their_passwords_and_codes_work(installation, command, tmp_path, folder):
    from asgi import settings_for

    own = settings_for(f"sqlite+aiosqlite:///{folder}/data/goodword.sqlite3", data_dir=folder / "data")
    async with running(create_app(own)) as app, client_of(app) as api:
        alice = await join(api, "alice")
        code = (await make_code(alice))["code"]
    exported = tmp_path / "all.ndjson"
    settings = {"DATA_DIR": str(folder / "data"), "SECRET_KEY": own.secret.decode()}
    done = await run_sync(
        lambda: goodword(tmp_path, "export", str(exported), "--with-password-hashes", **settings)
    )
    assert done.returncode == 0, done.stderr

    assert (await run_sync(lambda: command("import", exported))).returncode == 0

    async with running(create_app(installation)) as app, client_of(app) as api:
        signed_in = await sign_in(api, alice.email, PASSWORD)
        bob = await join(api, "bob", referral_code=code)
        assert (signed_in.status_code, bob.user["referred_by"]) == (201, "Alice")
