"""Imports that are killed, that run at once, and beside a service."""

import json
import subprocess
import threading
import time

import pytest
from sqlalchemy import text

from serving import GOODWORD, environment, goodword, serving

PEOPLE = 2_400
COUNTS = text(
    "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM referral_codes), (SELECT count(*) FROM referrals), "
    "(SELECT sum(uses) FROM referral_codes)"
)
ALL = (PEOPLE, PEOPLE, PEOPLE - 1, PEOPLE - 1)


@pytest.fixture
def people(tmp_path):
    """Return a file with users, the referral of each before them, and two lines that are refused."""
    file = tmp_path / "people.ndjson"
    with file.open("w") as out:
        for n in range(PEOPLE):
            owner = {"email": f"p{n}@example.com"}
            if n:
                referrer = {"email": f"p{n // 2}@example.com"}
                line = {"type": "referral", "referrer": referrer, "referee": owner, "code": f"CODE-{n // 2}"}
                out.write(json.dumps(line) + "\n")
            if n in (10, PEOPLE - 10):
                out.write("{\n")
            out.write(json.dumps({"type": "user", **owner}) + "\n")
            code = {"owner": owner, "code": f"CODE-{n}", "expires_at": "2027-01-01T00:00:00Z"}
            out.write(json.dumps({"type": "code", **code}) + "\n")
    return file


@pytest.fixture
def start(installation, tmp_path):
    """Start an import in a process of its own."""
    settings = {"DATABASE_URL": installation.database, "DATA_DIR": str(installation.data_dir)}
    settings["SECRET_KEY"] = installation.secret.decode()
    started = []

    def begin(*arguments):
        command = [str(GOODWORD), "import", *map(str, arguments)]
        env = environment(tmp_path, **settings)
        null = subprocess.DEVNULL
        started.append(subprocess.Popen(command, env=env, cwd=tmp_path, stdout=null, stderr=null))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def kill_after(process, progress, offset):
    """Kill the process when it has come beyond the offset. Return how far it has come."""
    while process.poll() is None:
        found = json.loads(progress.read_text())["offset"] if progress.exists() else 0
        if found > offset:
            process.kill()
            process.wait()
            return found
        time.sleep(0.005)
    raise AssertionError("the import ended before it was killed")


async def test_a_killed_import_continues_where_it_was(start, command, people, database):
    progress = people.with_name("people.ndjson.progress.json")
    killed_at = kill_after(start(people), progress, 0)
    kill_after(start(people, "--resume"), progress, killed_at)

    done = command("import", people, "--resume")

    assert done.returncode == 1
    assert [tuple(row) for row in await database.rows(COUNTS)] == [ALL]
    report = people.with_name("people.ndjson.errors.ndjson").read_text().splitlines()
    assert [json.loads(line)["code"] for line in report] == ["json_invalid"] * 2
    assert not progress.exists()
    assert not people.with_name("people.ndjson.deferred").exists()


async def test_a_killed_import_can_be_run_again(start, command, people, database):
    kill_after(start(people), people.with_name("people.ndjson.progress.json"), 0)

    assert command("import", people).returncode == 1
    assert [tuple(row) for row in await database.rows(COUNTS)] == [ALL]


async def test_a_changed_file_is_not_resumed(start, command, people):
    kill_after(start(people), people.with_name("people.ndjson.progress.json"), 0)
    people.write_text(people.read_text() + "\n")

    done = command("import", people, "--resume")

    assert (done.returncode, "has changed" in done.stderr) == (2, True)


async def test_two_imports_at_once_do_no_harm(start, people, database, tmp_path):
    copy = tmp_path / "copy.ndjson"
    copy.write_bytes(people.read_bytes())

    codes = [process.wait(timeout=300) for process in (start(people), start(copy))]

    assert codes == [1, 1]
    assert [tuple(row) for row in await database.rows(COUNTS)] == [ALL]


async def test_the_lock_of_sqlite_is_released_between_the_parts_of_a_batch(import_lines, database):
    import_lines(*({"type": "user", "email": f"p{number}@example.com"} for number in range(400)))

    imported = text("SELECT count(*) FROM audit_events WHERE action = 'data.imported'")
    assert ((await database.row(imported))[0] > 1) == database.is_sqlite


@pytest.mark.one_database
def test_a_service_answers_during_an_import(tmp_path, people):
    from urllib.request import Request, urlopen

    statuses = []

    with serving(tmp_path) as served:
        importing = threading.Thread(target=lambda: goodword(tmp_path, "import", str(people)))
        importing.start()
        number = 0
        while importing.is_alive():
            number += 1
            body = json.dumps({"email": f"new{number}@example.org", "password": "seven lanterns on the hill"})
            request = Request(
                f"{served.url}/api/v1/users", body.encode(), {"Content-Type": "application/json"}
            )
            request.add_header("X-Forwarded-For", f"203.0.113.{number % 250}")
            try:
                with urlopen(request) as answer:
                    statuses.append(answer.status)
            except OSError as error:
                statuses.append(getattr(error, "code", 0))
            time.sleep(0.2)
        importing.join()

    assert statuses.count(201) > 1
    assert set(statuses) <= {201, 429}
