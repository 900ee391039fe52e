"""`goodword webhooks`."""

import re
import sqlite3
from contextlib import closing

import pytest

from serving import goodword

pytestmark = pytest.mark.one_database

URL = "https://acme.example/webhooks"


def command(folder, *arguments):
    return goodword(folder, "webhooks", *arguments)


def rows(folder, sql):
    with closing(sqlite3.connect(folder / "data" / "goodword.sqlite3")) as database:
        return database.execute(sql).fetchall()


def create(folder, *more):
    made = command(folder, "create", URL, "--kind", "reward.approved", "--kind", "user.erased", *more)
    assert made.returncode == 0, made.stderr
    return re.fullmatch(r"([\w-]{36})  (whsec_[\w+/=]{44})\n", made.stdout).groups()


def test_an_operator_creates_lists_changes_and_deletes_an_endpoint(folder):
    endpoint, secret = create(folder)

    listed = command(folder, "list").stdout
    assert listed.splitlines()[0] == f"{endpoint}  {URL}  all programs, enabled"
    assert secret not in listed
    assert command(folder, "disable", endpoint).stdout == "Disabled.\n"
    assert "disabled (requested)" in command(folder, "list").stdout
    assert command(folder, "enable", endpoint).returncode == 0
    rotated = command(folder, "rotate-secret", endpoint).stdout.strip()
    assert re.fullmatch(r"whsec_[\w+/=]{44}", rotated)
    assert rotated != secret
    assert command(folder, "delete", endpoint).returncode == 0
    assert command(folder, "list").stdout == ""
    assert {actor for (actor,) in rows(folder, "SELECT actor FROM audit_events")} == {"operator"}


def test_a_test_event_is_delivered_and_can_be_replayed(folder):
    endpoint, _ = create(folder)

    sent = command(folder, "test", endpoint).stdout
    shown = command(folder, "deliveries", endpoint).stdout
    replayed = command(folder, "replay", endpoint, "--since", "2020-01-01T00:00:00", "--all")

    assert sent.split()[1] in shown
    assert "pending, no attempt" in shown
    assert replayed.returncode == 0, replayed.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", URL, "--kind", "user.born"), "No such kind: user.born"),
        (("create", "http://127.0.0.1/", "--kind", "all"), "not an IP address"),
        (("create", URL, "--kind", "all", "--program", "none"), "slug"),
        (("delete", "01a22682-125d-74cf-af34-8dc7d6939ed0"), "no webhook endpoint"),
    ],
)
def test_what_is_wrong_is_named(folder, arguments, said):
    answer = command(folder, *arguments)

    assert answer.returncode == 1
    assert said in answer.stderr
