"""H20: `goodword audit`."""

import json
import shutil
import sqlite3
import time
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from urllib.request import Request, urlopen

import pytest

from audit_table import seal, verify
from goodword.audit import ip_retention
from goodword.audit.service import first_id
from goodword.retention import CLEAR_ADDRESSES, HANDLERS, PERIODIC_TASKS
from people import join, sign_in
from serving import goodword, serving

NINETY_DAYS = timedelta(days=90)


@pytest.fixture
def folder(tmp_path):
    """Return the folder of an installation with sealed events."""
    with serving(tmp_path) as served:
        done = goodword(tmp_path, "keys", "rotate")
        assert done.returncode == 0, done.stderr
        for name in ("alice", "bob"):
            register(served.url, name)
        await_seals(tmp_path)
    return tmp_path


def register(url, name):
    body = json.dumps({"email": f"{name}@example.com", "password": "seven lanterns on the hill"}).encode()
    with urlopen(Request(f"{url}/api/v1/users", body, {"Content-Type": "application/json"})):
        pass


def await_seals(folder):
    deadline = time.monotonic() + 20
    with closing(sqlite3.connect(folder / "data" / "goodword.sqlite3")) as database:
        while database.execute("SELECT 1 FROM audit_events WHERE sequence IS NULL").fetchall():
            assert time.monotonic() < deadline, "no row is sealed"
            time.sleep(0.1)


def meddle(folder, *statements):
    with closing(sqlite3.connect(folder / "data" / "goodword.sqlite3")) as database, database:
        database.execute("DROP TRIGGER audit_events_not_changed")
        database.execute("DROP TRIGGER audit_events_not_removed")
        for statement in statements:
            database.execute(statement)


def test_h20_verify_prints_the_head_or_the_first_bad_row(folder):
    good = goodword(folder, "audit", "verify")
    assert good.returncode == 0, good.stderr
    count, head = good.stdout.splitlines()
    assert count.endswith("rows are valid.")
    head = head.removeprefix("head ")
    assert goodword(folder, "audit", "verify", "--head", head).returncode == 0
    assert goodword(folder, "audit", "verify", "--head", "nonsense").returncode == 2

    shown = [json.loads(line) for line in goodword(folder, "audit", "show", "--json").stdout.splitlines()]
    rotated = next(one for one in shown if one["action"] == "keys.rotated")
    assert (rotated["actor"], rotated["actor_id"], rotated["address"]) == ("operator", None, None)
    registered = [one for one in shown if one["action"] == "user.registered"]
    assert len(registered) == 2
    line = goodword(folder, "audit", "show", "--action", "user.registered", "--limit", "1").stdout
    assert registered[-1]["actor_id"] in line
    assert goodword(folder, "audit", "show", "--user", registered[0]["actor_id"]).stdout.count("\n") >= 1
    assert goodword(folder, "audit", "show", "--since", "2999-01-01").stdout == ""

    last = int(head.partition(":")[0])
    meddle(folder, f"DELETE FROM audit_events WHERE sequence = {last}")
    cut = goodword(folder, "audit", "verify", "--head", head)
    assert (cut.returncode, cut.stderr.splitlines()[1]) == (
        1,
        f"Row {last}: it is missing, and all after it up to {last}",
    )
    with closing(sqlite3.connect(folder / "data" / "goodword.sqlite3")) as database, database:
        database.execute("UPDATE audit_events SET action = 'user.viewed' WHERE sequence = 1")
        (row_id,) = database.execute("SELECT id FROM audit_events WHERE sequence = 1").fetchone()
    bad = goodword(folder, "audit", "verify")
    assert bad.returncode == 1
    assert f"\nRow 1 ({uuid.UUID(row_id)}): " in bad.stderr
    assert "Traceback" not in bad.stderr


def test_verify_warns_of_overdue_rows(migrated, tmp_path):
    shutil.copytree(migrated, tmp_path, dirs_exist_ok=True)
    with closing(sqlite3.connect(tmp_path / "data" / "goodword.sqlite3")) as database, database:
        database.execute(
            "INSERT INTO audit_events (id, created_at, action, actor, subject, details) "
            "VALUES (?, '2026-01-01 00:00:00.000000', 'keys.rotated', 'operator', 'signing_key', '{}')",
            (uuid.uuid4().hex,),
        )

    result = goodword(tmp_path, "audit", "verify")

    assert result.returncode == 0
    assert "1 rows have not been sealed" in result.stderr


async def test_addresses_are_cleared_after_ninety_days_and_the_chain_stays_valid(app, api, rows, clock):
    await join(api, "alice")
    await seal(app)
    assert PERIODIC_TASKS[CLEAR_ADDRESSES] == timedelta(hours=1)

    async def clear():
        async with app.state.services.database.transaction() as session:
            return await ip_retention.clear_old(session, limit=1, before=clock() - NINETY_DAYS)

    clock.forward(days=89)
    assert await clear() == 0
    clock.forward(days=2)
    await sign_in(api, "alice@example.com")
    assert await clear() == 1
    assert await clear() == 1
    assert await clear() == 0, "what is recent keeps its address"
    assert CLEAR_ADDRESSES in HANDLERS
    await seal(app)
    assert (await verify(app)).sequence == 3
    assert await rows("SELECT count(*) FROM audit_events WHERE address IS NOT NULL") == [(1,)]


async def test_an_unsealed_address_is_not_cleared(app, api, clock):
    async def clear():
        async with app.state.services.database.transaction() as session:
            return await ip_retention.clear_old(session, limit=10, before=clock() - NINETY_DAYS)

    await join(api, "alice")
    clock.forward(days=91)

    assert await clear() == 0
    await seal(app)
    assert await clear() == 2


def test_ids_are_in_the_order_of_time():
    now = datetime(2030, 1, 1, tzinfo=UTC)
    assert first_id(now) < first_id(now + timedelta(milliseconds=1))
    assert first_id(now, random=(1 << 80) - 1) < first_id(now + timedelta(milliseconds=1))
