"""`goodword jobs`: list, retry and discard dead jobs."""

import sqlite3
import uuid
from contextlib import closing

import pytest

from serving import goodword

NOW = "2030-01-31 12:00:00.000000"


@pytest.fixture
def folder(folder):
    """Return the folder of a database with one waiting, one done and three dead jobs."""
    jobs = [("greet", None), ("greet", "done"), ("greet", "dead"), ("greet", "dead"), ("other", "dead")]
    with closing(sqlite3.connect(folder / "data" / "goodword.sqlite3")) as database, database:
        for kind, outcome in jobs:
            payload = '{"email_key":"alice@example.com"}' if outcome == "dead" else "{}"
            finished, error = (NOW if outcome else None), ("TimeoutError" if outcome == "dead" else None)
            database.execute(
                "INSERT INTO jobs (id, created_at, kind, payload, run_at, attempts, finished_at, outcome, error) "
                "VALUES (?, ?, ?, ?, ?, 10, ?, ?, ?)",
                (uuid.uuid4().hex, NOW, kind, payload, NOW, finished, outcome, error),
            )
    return folder


def test_dead_jobs_are_listed_retried_and_discarded(folder):
    listed = goodword(folder, "jobs", "list")
    assert listed.returncode == 0, listed.stderr
    lines = [line.split() for line in listed.stdout.splitlines()]
    assert ["2", "dead", "greet"] in lines
    assert ["1", "done", "greet"] in lines
    assert ["1", "waiting", "greet"] in lines
    assert listed.stdout.count("TimeoutError") == 3

    chosen = next(line[0] for line in lines if line and line[-1] == "TimeoutError" and line[1] == "greet")
    shown = goodword(folder, "jobs", "show", chosen)
    assert "attempts:  10" in shown.stdout
    assert "alice" not in listed.stdout + shown.stdout

    assert goodword(folder, "jobs", "retry", chosen).stdout == "1 job to run again.\n"
    again = goodword(folder, "jobs", "retry", chosen)
    assert (again.returncode, again.stderr.splitlines()[1:]) == (1, ["There is no such failed job."])
    with closing(sqlite3.connect(folder / "data" / "goodword.sqlite3")) as database:
        query = "SELECT attempts, outcome, error, payload FROM jobs WHERE id = ?"
        row = database.execute(query, (uuid.UUID(chosen).hex,)).fetchone()
    assert row == (0, None, None, '{"email_key":"alice@example.com"}'), "it keeps what it needs"

    assert goodword(folder, "jobs", "retry", "--kind", "greet").stdout == "1 job to run again.\n"
    assert goodword(folder, "jobs", "discard", "--kind", "other").stdout == "1 job deleted.\n"
    assert "Dead jobs" not in goodword(folder, "jobs", "list").stdout


def test_an_id_and_a_kind_exclude_each_other(tmp_path):
    assert goodword(tmp_path, "jobs", "retry").returncode == 2
    assert goodword(tmp_path, "jobs", "discard", str(uuid.uuid4()), "--kind", "greet").returncode == 2
