"""Every command reports an error in one line and exits with 1 for a refused operation and with 2 for any other.

Before it, a command names the database that it uses.
"""

import shutil
import sqlite3
from contextlib import closing

import pytest

from serving import goodword

SECRET = "k4Jt-9vQ2mZx7Lp0RbWc5NfHs8GdYa1E"
EMAIL = "alice@example.com"
UNKNOWN_ID = "01a201dc-5258-77c8-bbbf-93ad69676570"

COMMANDS = [
    ("admin", "create", EMAIL, "--promote"),
    ("admin", "remove", EMAIL),
    ("users", "find", "alice"),
    ("users", "show", EMAIL),
    ("users", "disable", EMAIL),
    ("users", "enable", EMAIL),
    ("users", "erase", EMAIL, "--yes"),
    ("jobs", "list"),
    ("jobs", "show", UNKNOWN_ID),
    ("jobs", "retry", UNKNOWN_ID),
    ("jobs", "discard", UNKNOWN_ID),
    ("audit", "verify"),
    ("audit", "show"),
    ("oauth-client", "list"),
    ("oauth-client", "create", "Garden", "--redirect-uri", "https://garden.example/cb"),
    ("oauth-client", "rotate", "gwc_unknown"),
    ("oauth-client", "disable", "gwc_unknown"),
    ("keys", "rotate"),
]
ADMIN_CREATE = ("admin", "create", EMAIL, "--password-stdin")
PASSWORD = "seven lanterns on the hill"
every_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))


def assert_fails(done, status, message):
    assert done.returncode == status, done.stderr
    assert message in done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("Database: ")]
    assert len(lines) == 1, done.stderr
    assert done.stdout == ""


@pytest.fixture(scope="module")
def sealed(migrated, tmp_path_factory):
    """Return a folder with a database that holds a key sealed with its secret."""
    folder = shutil.copytree(migrated, tmp_path_factory.mktemp("sealed"), dirs_exist_ok=True)
    assert goodword(folder, "keys", "rotate").returncode == 0
    return folder


@every_command
def test_wrong_settings_exit_with_2(tmp_path, command):
    assert_fails(goodword(tmp_path, *command, NONSENSE="1"), 2, "GOODWORD_NONSENSE is not a setting")


@every_command
def test_an_unreachable_database_exits_with_2(tmp_path, command):
    settings = {"DATABASE_URL": "postgresql+asyncpg://127.0.0.1:9/x", "SECRET_KEY": SECRET}

    assert_fails(goodword(tmp_path, *command, **settings), 2, "cannot be reached")


@every_command
def test_a_missing_schema_exits_with_2(folder, command):
    (folder / "data" / "goodword.sqlite3").write_bytes(b"")

    assert_fails(goodword(folder, *command), 2, "goodword migrate")


@pytest.mark.parametrize("command", [*COMMANDS, ADMIN_CREATE, ("worker",)], ids=" ".join)
def test_only_serve_and_migrate_make_a_database(tmp_path, command):
    done = goodword(tmp_path, *command, stdin=PASSWORD)

    assert_fails(done, 2, f"There is no database at {tmp_path / 'data' / 'goodword.sqlite3'}")
    assert "GOODWORD_DATA_DIR" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [*COMMANDS, ADMIN_CREATE], ids=" ".join)
def test_a_command_names_its_database(folder, command):
    done = goodword(folder, *command, stdin=PASSWORD)

    assert f"Database: {folder / 'data' / 'goodword.sqlite3'}\n" in done.stderr
    assert done.stderr.count("Database: ") == 1


def test_a_command_names_a_postgres_database_without_the_password(tmp_path):
    url = "postgresql+asyncpg://goodword:hunter2@127.0.0.1:9/people"

    done = goodword(tmp_path, "jobs", "list", DATABASE_URL=url, SECRET_KEY=SECRET)

    assert done.stderr.startswith("Database: people on 127.0.0.1\n")
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("command", [("jobs", "list"), ("serve",), ("migrate",), ("worker",)], ids=" ".join)
def test_no_command_makes_a_new_key_for_an_existing_database(folder, command):
    (folder / "data" / "secret_key").unlink()

    assert_fails(goodword(folder, *command), 2, "secret_key in GOODWORD_DATA_DIR")
    assert not (folder / "data" / "secret_key").exists()


@pytest.mark.parametrize("name", ["50%25 off?", "a#b", "ключ & co", "%s"])
def test_a_data_folder_may_have_any_name(tmp_path, name):
    folder = tmp_path / name / "data"

    assert goodword(tmp_path, "migrate", DATA_DIR=str(folder)).returncode == 0
    done = goodword(tmp_path, "users", "find", "alice", DATA_DIR=str(folder))

    assert done.stderr == f"Database: {folder / 'goodword.sqlite3'}\nNo user was found.\n"
    assert {path.name for path in folder.iterdir()} >= {"goodword.sqlite3", "secret_key"}
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("command", [*COMMANDS, ADMIN_CREATE, ("worker",)], ids=" ".join)
def test_another_secret_exits_with_2(sealed, command):
    done = goodword(sealed, *command, stdin=PASSWORD, SECRET_KEY=SECRET)

    assert_fails(done, 2, "GOODWORD_SECRET_KEY is not the secret")


@every_command
def test_an_error_of_the_database_exits_with_2(folder, command):
    with closing(sqlite3.connect(folder / "data" / "goodword.sqlite3")) as database, database:
        database.execute("DROP TABLE signing_keys")

    assert_fails(goodword(folder, *command), 2, "no such table: signing_keys")


@pytest.mark.parametrize("command", [*COMMANDS, ("migrate",)], ids=" ".join)
def test_a_database_that_does_not_exist_exits_with_2(tmp_path, command, postgres_url):
    settings = {"DATABASE_URL": postgres_url.rpartition("/")[0] + "/missing", "SECRET_KEY": SECRET}

    assert_fails(goodword(tmp_path, *command, **settings), 2, "database")


@pytest.mark.parametrize("command", ["config", "migrate"])
def test_an_env_file_that_is_not_utf8_exits_with_2(tmp_path, command):
    (tmp_path / ".env").write_bytes(b"GOODWORD_MAIL_FROM=\xff\n")

    assert_fails(goodword(tmp_path, command), 2, ".env")


def test_migrate_reports_an_unreachable_database(tmp_path):
    settings = {"DATABASE_URL": "postgresql+asyncpg://127.0.0.1:9/x", "SECRET_KEY": SECRET}

    assert_fails(goodword(tmp_path, "migrate", **settings), 2, "127.0.0.1")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("admin", "create", EMAIL, "--promote"), "There is no such user"),
        (("admin", "remove", EMAIL), "There is no such user"),
        (("users", "show", UNKNOWN_ID), "There is no such user"),
        (("users", "disable", EMAIL), "There is no such user"),
        (("users", "enable", EMAIL), "There is no such user"),
        (("users", "erase", EMAIL, "--yes"), "There is no such user"),
        (("jobs", "show", UNKNOWN_ID), "job"),
        (("jobs", "retry", UNKNOWN_ID), "job"),
        (("jobs", "discard", "--kind", "unknown"), "job"),
        (("oauth-client", "create", "Garden"), "redirect URI"),
        (("oauth-client", "rotate", "gwc_unknown"), "client"),
        (("oauth-client", "disable", "gwc_unknown"), "client"),
        (("audit", "verify", "--head", f"9:{'0' * 64}"), "9"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_a_refused_operation_exits_with_1(folder, command, message):
    assert_fails(goodword(folder, *command), 1, message)
