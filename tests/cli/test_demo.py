"""`goodword demo` fills an empty installation with an example."""

import re
from uuid import UUID

import pytest
from anyio.to_thread import run_sync

from asgi import SECRET
from serving import goodword


@pytest.fixture
def run(app, database_url, tmp_path):
    """Run a command on the database of the service."""

    async def run_command(*arguments):
        settings = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET}
        return await run_sync(lambda: goodword(tmp_path, *arguments, **settings))

    return run_command


async def test_the_example_is_alive_and_keeps_all_rules(run, api, rows):
    done = await run("demo")
    assert done.returncode == 0, done.stderr

    password = re.search(r"password (\S+)", done.stdout)[1]
    for email in ("alice@example.com", "bob@example.com", "admin@example.com"):
        assert email in done.stdout
        signed_in = await api.post("/api/v1/sessions", json={"email": email, "password": password})
        assert signed_in.status_code == 201
        api.headers["Authorization"] = f"Bearer {signed_in.json()['access_token']}"
        if email.startswith("alice"):
            by_status = (await api.get("/api/v1/me/referral-stats")).json()["by_status"]
            alice = (await api.get("/api/v1/me")).json()
            codes = (await api.get("/api/v1/me/referral-codes")).json()["items"]
    people = (await api.get("/api/v1/admin/users", params={"limit": 100})).json()["items"]

    assert by_status["confirmed"] > 5
    assert {code["status"] for code in codes} == {"active", "prepared", "retired"}
    assert {person["status"] for person in people} == {"active", "disabled", "erased"}
    states = await rows("SELECT status FROM referrals GROUP BY status")
    assert {status for (status,) in states} == {"pending", "confirmed", "rejected"}
    by_number = await rows("SELECT referrer_id FROM referrals GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")
    assert UUID(str(by_number[0][0])) == UUID(alice["id"])
    customers = await rows(
        "SELECT attributed_by, count(*) FROM users JOIN referrals ON referee_id = users.id JOIN programs "
        "ON programs.id = users.program_id AND programs.id = referrals.program_id "
        "WHERE slug = 'acme' AND external_id LIKE 'customer-%' GROUP BY attributed_by ORDER BY attributed_by"
    )
    assert {way for way, number in customers if number > 5} == {"code", "touch"}
    rewards = dict(await rows("SELECT status, count(*) FROM rewards GROUP BY status"))
    assert {"pending", "approved", "fulfilled", "reversed"} <= rewards.keys()
    assert not await rows(
        "SELECT 1 FROM rewards WHERE remaining_minor <> "
        "(SELECT sum(amount_minor) FROM reward_entries WHERE reward_id = rewards.id)"
    )
    clicks = await rows(
        "SELECT slug, count(*) FROM touches JOIN programs ON programs.id = program_id GROUP BY 1"
    )
    assert all(number > 200 for _, number in clicks)
    assert {slug for slug, _ in clicks} == {"default", "acme"}
    assert not await rows(
        "SELECT 1 FROM touches t JOIN referral_codes c ON c.id = code_id WHERE t.created_at < c.created_at"
    )
    assert not await rows("SELECT 1 FROM users WHERE email NOT LIKE '%@example.com'")
    assert not await rows(
        "SELECT 1 FROM referral_codes c WHERE uses <> (SELECT count(*) FROM referrals r WHERE r.code_id = c.id)"
    )
    verified = await run("audit", "verify")
    assert (verified.returncode, verified.stderr.count("have not been sealed")) == (0, 0)


async def test_a_database_with_users_is_refused(run, alice, rows):
    done = await run("demo")

    assert (done.returncode, "This database is in use" in done.stderr) == (1, True)
    assert await rows("SELECT count(*) FROM users") == [(1,)]


def test_production_is_refused(tmp_path):
    settings = {"ENVIRONMENT": "production", "PASSWORD_HASH": "standard", "SECRET_KEY": SECRET}
    done = goodword(tmp_path, "demo", **settings)

    assert (done.returncode, "This is a production installation" in done.stderr) == (1, True)
    assert not (tmp_path / "data").exists()
