"""`goodword api-key`: create, list, revoke. And the scopes of servers for `goodword oauth-client`."""

import re
import sqlite3
from contextlib import closing

import pytest

from goodword.oauth.scopes import SERVER_SCOPES
from serving import ROOT, goodword

pytestmark = pytest.mark.one_database

CREATE = ("api-key", "create", "--name", "acme", "--scope")


def stored(folder, sql):
    with closing(sqlite3.connect(folder / "data" / "goodword.sqlite3")) as database:
        return database.execute(sql).fetchall()


def test_an_operator_creates_lists_and_revokes_a_key(folder):
    made = goodword(folder, *CREATE, "events:write participants:read", "--scope", "participants:write")
    key = made.stdout.strip()

    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"gwk_[\w-]{48}", key)
    assert key not in made.stderr
    [(mac, scope, program, expires_at)] = stored(
        folder, "SELECT key_mac, scope, program_id, expires_at FROM api_keys"
    )
    assert (len(mac), scope, program, expires_at) == (
        32,
        "participants:read participants:write events:write",
        None,
        None,
    )

    listed = goodword(folder, "api-key", "list").stdout
    assert listed.startswith("acme  all programs, does not expire, not used yet")
    assert key not in listed

    assert goodword(folder, "api-key", "revoke", "acme").returncode == 0
    assert goodword(folder, "api-key", "list").stdout == ""
    assert goodword(folder, *CREATE, "events:write").stdout.strip() != key, "the name is free again"
    events = stored(
        folder, "SELECT action, actor, details FROM audit_events WHERE subject = 'api_key' ORDER BY id"
    )
    assert events == [
        (
            "api_key.created",
            "operator",
            '{"scope":"participants:read participants:write events:write"}',
        ),
        ("api_key.revoked", "operator", "{}"),
        ("api_key.created", "operator", '{"scope":"events:write"}'),
    ]


def test_a_key_can_be_limited_in_time_and_to_a_program(folder):
    made = goodword(folder, *CREATE, "events:write", "--program", "default", "--expires-in", "30")

    assert made.returncode == 0, made.stderr
    assert re.match(
        r"acme  default, until 20\d\d-\d\d-\d\d, not used yet", goodword(folder, "api-key", "list").stdout
    )
    assert stored(folder, "SELECT expires_at > created_at, program_id IS NULL FROM api_keys") == [(1, 0)]


def test_what_cannot_be_created_is_refused_with_a_reason(folder):
    assert goodword(folder, *CREATE, "events:write").returncode == 0

    for arguments, status, reason in (
        ((*CREATE, "events:write"), 1, "has this name"),
        ((*CREATE, "admin"), 1, "No such scope: admin. There are: participants:read,"),
        ((*CREATE, " "), 1, "at least one scope"),
        (("api-key", "create", "--scope", "events:write", "--name", ""), 1, "1 to 64 visible"),
        (("api-key", "create", "--scope", "events:write", "--name", "a\nb"), 1, "1 to 64 visible"),
        ((*CREATE, "events:write", "--program", "nonsense"), 1, "no program nonsense"),
        ((*CREATE, "events:write", "--expires-in", "0"), 2, ""),
        (("api-key", "revoke", "nonsense"), 1, "no such key"),
    ):  # fmt: skip
        done = goodword(folder, *arguments)
        assert done.returncode == status
        assert reason in done.stderr
        assert "gwk_" not in done.stdout + done.stderr
    assert len(stored(folder, "SELECT id FROM api_keys")) == 1


def test_apps_get_the_scopes_of_servers_with_client_credentials_alone(folder):
    create = ("oauth-client", "create", "Acme", "--scope", "participants:read events:write")
    to = ("--redirect-uri", "https://acme.example/cb")

    assert goodword(folder, *create).returncode == 0
    assert goodword(folder, *create, "--scope", "openid", *to).returncode == 0
    for arguments in ((*create, *to, "--grant", "authorization_code"), (*create, "--public")):
        refused = goodword(folder, *arguments)
        assert refused.returncode == 1
        assert "client_credentials" in refused.stderr
    assert sorted(stored(folder, "SELECT scope, grant_types FROM oauth_clients")) == [
        ("openid participants:read events:write", "authorization_code client_credentials"),
        ("participants:read events:write", "client_credentials"),
    ]


def test_the_page_of_the_documents_has_each_scope():
    rows = re.findall(
        r"^\| `([a-z:]+)` \| (.+) \|$", (ROOT / "docs" / "api-keys.md").read_text(), re.MULTILINE
    )

    assert dict(rows) == {name: text[0].lower() + text[1:] for name, text in SERVER_SCOPES.items()}
