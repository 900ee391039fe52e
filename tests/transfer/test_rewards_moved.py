"""`goodword export` and `goodword import` of reward rules, events, rewards and coupons."""

import json
from datetime import timedelta

import pytest
from anyio.to_thread import run_sync
from sqlalchemy import text

from asgi import client_of, running, settings_for
from goodword.app import create_app
from goodword.rewards import holds
from people import as_a_request
from rewards.conftest import SCOPES, Shop, good
from server_keys import make_key
from serving import command_on
from sweeps import Sweep
from transfer.conftest import read_report

HOUR = 3600
TABLES = ("reward_rules", "events", "rewards", "reward_entries", "coupons")
EFFECTS = text("SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM webhook_events)")


async def earn(shop):
    """Make rewards of every kind and state, of rules that were replaced and ended."""
    credit = await shop.rule()
    await shop.change_rule(credit, hold=HOUR)
    coupons = await shop.rule(kind="coupon", beneficiary="referee", hold=HOUR, max_events=1)
    codes = {"codes": ["SPRING-1", "SPRING-2", "=SUM(1)"]}
    good(await shop.call("POST", f"{shop.rules}/{coupons['id']}/coupons", json=codes), 201)
    tiers = [{"from": 1, "amount_minor": 10}, {"from": 5, "amount_minor": 50}]
    await shop.rule(kind="points", tiers=tiers, trigger="review", cap={"count": 9, "per": "month"})
    ended = await shop.rule(trigger="review", approval="manual", description="Thanks, “Alice”")
    await shop.pair("alice", "bob")
    await shop.pair("alice", "carol")

    await shop.event("order-1", "bob", metadata={"plan": "größer"})
    canceled = (await shop.event("order-2", "bob"))["rewards"][0]["id"]
    await shop.refund("refund-1", of="order-1", minor=2_500)
    await shop.refund("refund-early", of="order-3", minor=5_000)
    await shop.event("order-3", "carol")
    good(await shop.step(canceled, "cancel", reason="A mistake."), 200)
    points, approved = (await shop.event("review-1", "bob", type="review", amount=None))["rewards"]
    good(await shop.step(points["id"], "fulfil", external_reference="p-1"), 200)
    good(await shop.step(approved["id"], "approve"), 200)
    (points, _) = (await shop.event("review-2", "carol", type="review", amount=None))["rewards"]
    good(await shop.step(points["id"], "fulfil"), 200)
    good(await shop.step(points["id"], "reverse", reason="Spam."), 200)
    await shop.call("DELETE", f"{shop.rules}/{ended['id']}")
    await shop.pair("dave", "erin")
    await shop.event("order-4", "erin", metadata={"name": "Erin"})
    await shop.call("DELETE", "/api/v1/participants/erin")


class MovingShop(Shop):
    rules = "/api/v1/programs/default/reward-rules"

    async def change_rule(self, rule, **terms):
        names = ("trigger", "beneficiary", "kind", "amount_minor")
        body = {name: rule[name] for name in names} | terms
        good(await self.call("PUT", f"{self.rules}/{rule['id']}", json=body), 200)

    async def seen(self):
        """Return what the API shows of rewards and balances, for the server and for its users."""
        found = {"rewards": [await self.reward(one["id"]) for one in await self.rewards(limit=100)]}
        for who in ("alice", "bob", "carol", "dave"):
            answer = await self.call("POST", f"/api/v1/participants/{who}/tokens")
            headers = {"Authorization": f"Bearer {good(answer, 201)['access_token']}"}
            for path in ("rewards", "reward-balances"):
                own = await self.api.get(f"/api/v1/me/{path}", headers=headers)
                found[f"{path} of {who}"] = good(own, 200)["items"]
        return found


@pytest.fixture
async def moved(tmp_path, folder):
    """Return the file of an export with rewards in every state, and what its installation showed."""
    own = settings_for(f"sqlite+aiosqlite:///{folder}/data/goodword.sqlite3", data_dir=folder / "data")
    async with running(create_app(own)) as app, client_of(app) as api:
        shop = MovingShop(api, await make_key(app, SCOPES))
        await earn(shop)
        shown = await shop.seen()
    file = tmp_path / "all.ndjson"
    export = command_on(own, folder)
    assert (await run_sync(lambda: export("export", file))).returncode == 0
    assert (await run_sync(lambda: export("export", tmp_path / "csv", "--format", "csv"))).returncode == 0
    return file, shown


@pytest.fixture
async def counts(database):
    async def count():
        rows = [await database.rows(text(f"SELECT count(*) FROM {table}")) for table in TABLES]
        return [row[0][0] for row in rows]

    return count


async def test_balances_and_rewards_are_the_same_afterwards(
    moved, installation, command, database, counts, tmp_path
):
    file, shown = moved
    states = {reward["status"] for reward in shown["rewards"]}
    assert states == {"pending", "approved", "fulfilled", "canceled", "reversed"}
    endpoint = ("webhooks", "create", "https://acme.example/hooks", "--kind", "reward.created")
    await run_sync(lambda: command(*endpoint, "--kind", "user.created"))
    before = await database.rows(EFFECTS)

    done = await run_sync(lambda: command("import", file))

    assert done.returncode == 0, done.stdout + done.stderr
    assert await database.rows(EFFECTS) == before
    again = tmp_path / "again.ndjson"
    await run_sync(lambda: command("export", again))
    assert again.read_bytes() == file.read_bytes()
    had = await counts()
    twice = await run_sync(lambda: command("import", file))
    assert (twice.returncode, "Created 0 users, 0 codes, 0 referrals." in twice.stdout) == (0, True)
    assert await counts() == had

    async with running(create_app(installation)) as app, client_of(app) as api:
        shop = MovingShop(api, await make_key(app, SCOPES))
        assert await shop.seen() == shown
        pending = next(
            one for one in shown["rewards"] if one["status"] == "pending" and one["event_id"] == "order-1"
        )
        await shop.refund("refund-2", of="order-1")
        assert (await shop.reward(pending["id"]))["status"] == "canceled"
        services = app.state.services
        with as_a_request(services):
            async with services.database.transaction() as session:
                later = services.clock() + timedelta(seconds=2 * HOUR)
                approved = await holds.approve_due(session, services, now=later)
        assert approved == 3  # of six that were pending, two are refunded, and one needs an approval


async def test_an_import_from_csv_is_the_same(moved, command, tmp_path):
    file, _ = moved

    done = await run_sync(lambda: command("import", tmp_path / "csv"))

    assert done.returncode == 0, done.stdout + done.stderr
    again = tmp_path / "again.ndjson"
    await run_sync(lambda: command("export", again))
    assert again.read_bytes() == file.read_bytes()


@pytest.mark.one_database
async def test_lines_in_any_order_after_an_import_that_was_interrupted(moved, command, tmp_path):
    file, _ = moved
    lines = file.read_bytes().splitlines(keepends=True)
    part, rest, again = tmp_path / "part.ndjson", tmp_path / "rest.ndjson", tmp_path / "again.ndjson"
    part.write_bytes(b"".join(lines[: 2 * len(lines) // 3]))
    rest.write_bytes(b"".join(reversed(lines)))

    assert (await run_sync(lambda: command("import", part))).returncode == 0
    done = await run_sync(lambda: command("import", rest))

    assert done.returncode == 0, done.stdout + done.stderr
    await run_sync(lambda: command("export", again))
    assert again.read_bytes() == file.read_bytes()


UNKNOWN = "01a2269c-90bb-73fb-bead-c3bd44403e40"
REFUSED = [
    ("reward_rule", {"basis_points": 1000}, "trigger", "rule_invalid"),
    ("reward_rule", {"cap_count": 5}, "trigger", "rule_invalid"),
    ("reward_rule", {"version": 9, "id": None, "retired_at": None}, "version", "active_rule_exists"),
    ("reward_rule", {"version": 9}, "id", "id_taken"),
    ("reward_rule", {"program": "winter"}, "program", "program_unknown"),
    ("event", {"event_type": "purchase"}, "source_id", "event_id_reused"),
    ("event", {"source_id": "other"}, "id", "id_taken"),
    ("event", {"currency": "USD"}, "currency", "currency_missing"),
    ("event", {"participant": "nobody"}, "participant", "user_unknown"),
    ("event", {"created_at": "2100-01-01T00:00:00Z"}, "created_at", "time_in_future"),
    ("reward", {"amount_minor": 1}, "entries", "entries_invalid"),
    ("reward", {"status": "reversed"}, "entries", "entries_invalid"),
    ("reward", {"entries": []}, "entries", "too_short"),
    ("reward", {"event_id": UNKNOWN, "id": None}, "event_id", "event_unknown"),
    ("reward", {"rule_version_id": UNKNOWN, "id": None}, "rule_version_id", "rule_unknown"),
    ("reward", {"month": "2026-13"}, "month", "string_pattern_mismatch"),
    ("coupon", {"rule_id": UNKNOWN}, "rule_id", "rule_unknown"),
    ("coupon", {"code": "ANOTHER", "id": None, "reward_id": UNKNOWN}, "reward_id", "reward_unknown"),
    ("coupon", {"code": "ANOTHER"}, "id", "id_taken"),
]


@pytest.mark.one_database
async def test_wrong_lines_are_refused(moved, command, tmp_path):
    file, _ = moved
    await run_sync(lambda: command("import", file))
    records = [json.loads(line) for line in file.read_text().splitlines()]
    first = {one["type"]: one for one in reversed(records)}
    wrong = tmp_path / "wrong.ndjson"
    wrong.write_text("".join(json.dumps(first[kind] | values) + "\n" for kind, values, _, _ in REFUSED))

    await run_sync(lambda: command("import", wrong))

    found = {number: (field, code) for number, field, code in read_report(wrong)}
    with Sweep() as sweep:
        for number, (kind, values, field, code) in enumerate(REFUSED, 1):
            with sweep.case(f"{kind} {values}"):
                assert found.pop(number) == (field, code)
    assert found == {}


@pytest.mark.one_database
async def test_an_old_file_brings_back_no_data_of_a_person_who_was_erased_since(
    moved, installation, command, database
):
    file, _ = moved
    lines = file.read_text().splitlines(keepends=True)
    people = file.with_name("people.ndjson")
    people.write_text(
        "".join(line for line in lines if json.loads(line)["type"] in {"program", "user", "code", "referral"})
    )
    await run_sync(lambda: command("import", people))
    async with running(create_app(installation)) as app, client_of(app) as api:
        shop = MovingShop(api, await make_key(app, SCOPES))
        await shop.call("DELETE", "/api/v1/participants/bob")

    await run_sync(lambda: command("import", file))

    assert {code for _, field, code in read_report(file) if field == "user"} == {"user_erased"}
    details = text("SELECT details FROM events WHERE source_id = 'order-1'")
    assert await database.rows(details) == [(None,)]
