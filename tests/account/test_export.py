"""F07: GET /api/v1/me/export: all data about a user, and none about others."""

import json
import time
import tracemalloc
import uuid

import pytest

from goodword.db import personal_data
from goodword.personal_data import PERSONAL_DATA
from goodword.privacy import export
from goodword.tables import Base
from people import PASSWORD, bring, join, make_code, referrals_of, sign_in
from third_party import Browser, register_app

EXPORT = "/api/v1/me/export"


async def exported(person):
    answer = await person.get(EXPORT)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == 'attachment; filename="goodword-export.json"'
    return answer.json()


@pytest.fixture
async def full_life(app, api, alice, bob, rita, post):
    """Alice has a row in every table that can hold one of hers; so has Bob."""
    for person in (alice, bob):
        await bring(person, f"{person.name}s-friend", f"{person.name}s-second", max_uses=10)
        browser = Browser(api)
        await browser.sign_in(person)
        garden = await register_app(
            app, api, f"https://{person.name}.example/callback", name=f"Of {person.name}"
        )
        await garden.let_in(browser)
        await person.post(
            "/api/v1/me/referral-codes",
            {"lifetime": 3600, "active": False},
            headers={"Idempotency-Key": f"key of {person.name}".replace(" ", "-")},
        )
        await person.post("/api/v1/me/invitations", {"email": f"dave-of-{person.name}@example.org"})
        await person.get("/api/v1/email-checks", params={"email": "zoe@example.org"})
        body = {"email": f"{person.name}@example.net", "password": PASSWORD}
        await person.post("/api/v1/me/email-changes", body)
        await post()
        await sign_in(api, person.email, "wrong password")
        await rita.get(f"/api/v1/admin/users/{person.id}")
        async with app.state.services.database.transaction() as session:
            tables, now = Base.metadata.tables, app.state.services.clock()
            one = {"id": uuid.uuid4(), "created_at": now, "user_id": uuid.UUID(person.id)}
            identity = {"provider": "github", "subject": f"subject of {person.name}"}
            await session.execute(tables["identities"].insert().values(one | identity))
            profile = {"provider": "hunter", "full_name": f"{person.name.title()} the Person"}
            await session.execute(tables["profiles"].insert().values(one | profile))
    return alice


async def test_f07_the_export_is_complete(full_life, bob):
    alice = full_life
    found = await exported(alice)

    assert found["account"]["email"] == alice.email
    assert found["account"]["email_canonical"] == alice.email
    assert found["account"]["id"] == alice.id
    sections = {name for data in PERSONAL_DATA for name in data.export}
    assert {name for name in sections if not found[name]} == {
        "unsubscribed",
        "referred_by",
        "risk_signals",
        "events",
        "rewards",
        "reward_entries",
        "reviews",
        "audit_of_others",
    }
    assert [one["uses"] for one in found["codes"]] == [2, 0]
    assert len(found["referrals"]) == 2
    assert {one["name"] for one in found["apps"]} == {"Of alice"}
    assert found["profile"]["full_name"] == "Alice the Person"
    assert {one["device"] for one in found["sessions"]} == {"python-httpx2"}
    assert {"email": "alice@example.net", "purpose": "change_email"}.items() <= found["verifications"][
        -1
    ].items()
    assert {"send_email", "verify_email"} <= {one["kind"] for one in found["jobs"]}
    assert {"user.registered", "session.started", "user.viewed"} <= {one["action"] for one in found["audit"]}
    assert sum(one["failures"] for one in found["wrong_passwords"]) == 2
    assert found["stored_answers"][0]["key"] == "key-of-alice"


async def test_f07_the_export_contains_no_data_of_others(full_life, bob, rita, rows):
    text = json.dumps(await exported(full_life)).lower()

    for word in ("bob", "rita", "rabbit", "dave-of", "zoe@", bob.id, rita.id, "alices-friend@", PASSWORD):
        assert word not in text, word
    for secret in ("password_hash", "token_mac", "argon2", "fingerprint", "gwv_"):
        assert secret not in text, secret
    alices = {full_life.id}
    for table in ("users", "sessions", "referral_codes", "referrals"):
        owner = {"sessions": "user_id", "referral_codes": "owner_id", "referrals": "referrer_id"}.get(
            table, "id"
        )
        for one, whose in await rows(f"SELECT id, {owner} FROM {table}"):
            if str(uuid.UUID(str(whose))) not in alices:
                assert str(uuid.UUID(str(one))) not in text, table


async def test_f07_referrals_are_exported_as_listed(alice):
    await bring(alice, "carol")
    (listed,) = await referrals_of(alice)
    (found,) = (await exported(alice))["referrals"]

    assert (
        found["referee"] == listed["referee"] == {"display_name": "Carol", "email_masked": "c***@example.com"}
    )


async def test_f07_the_export_does_not_name_administrators(alice, rita, bob):
    code = await make_code(alice)
    await rita.delete(f"/api/v1/admin/referral-codes/{code['code']}")

    found = await exported(alice)

    (seen,) = [one for one in found["audit"] if one["action"] == "code.retired"]
    assert (seen["by"], seen["address"], seen["request_id"]) == ("another person", None, None)
    assert rita.id not in json.dumps(found)


async def test_f07_the_export_of_a_referee_has_no_id_of_the_referrer(api, alice):
    code = await make_code(alice)
    bob = await join(api, "bob", referral_code=code["code"])

    found = await exported(bob)

    assert found["referred_by"] == "Alice L."
    assert alice.id not in json.dumps(found)
    assert {one["action"] for one in found["audit_of_others"]} == {"referral.made"}
    assert {one["subject_id"] for one in found["audit_of_others"]} == {None}
    assert code["code"] not in json.dumps(found)


async def test_the_export_is_recorded_in_the_audit_log(alice, rows):
    await exported(alice)

    assert await rows("SELECT count(*) FROM audit_events WHERE action = 'user.exported'") == [(1,)]
    assert "user.exported" in {one["action"] for one in (await exported(alice))["audit"]}


async def test_pages_of_a_list_are_joined(app, alice, monkeypatch):
    await bring(alice, *(f"friend{n}" for n in range(7)))
    monkeypatch.setattr(personal_data, "PAGE", 3)

    found = await exported(alice)

    assert len({one["referee"]["display_name"] for one in found["referrals"]}) == 7


@pytest.mark.one_database
async def test_an_app_cannot_request_an_export(app, api, alice):
    browser = Browser(api)
    await browser.sign_in(alice)
    garden = await register_app(app, api, "https://garden.example/callback")
    tokens = await garden.let_in(browser)

    answer = await garden.get(EXPORT, tokens)
    assert answer.status_code == 403
    assert answer.json()["code"] == "insufficient_scope"


async def test_the_export_uses_the_same_memory_for_any_number_of_referrals(app, alice):
    """With 5,000 friends: what is in memory at a time is a page of them."""
    code = await make_code(alice)
    tables, now = Base.metadata.tables, app.state.services.clock()
    async with app.state.services.database.transaction() as session:
        code_id = (await session.execute(tables["referral_codes"].select())).one().id
        people = [uuid.uuid4() for _ in range(5_000)]
        same = {"created_at": now, "status": "active", "is_admin": False, "language": "en"}
        emails = [f"friend{n}@example.com" for n in range(5_000)]
        await session.execute(
            tables["users"].insert(),
            [
                {"id": one, "email": email, "email_key": email, "email_canonical": email, **same}
                for one, email in zip(people, emails, strict=True)
            ],
        )
        same = {
            "created_at": now,
            "referrer_id": uuid.UUID(alice.id),
            "code_id": code_id,
            "status": "pending",
        }
        await session.execute(
            tables["referrals"].insert(), [{"id": one, "referee_id": one, **same} for one in people]
        )

    tracemalloc.start()
    began, size = time.perf_counter(), 0
    services = app.state.services
    async for piece in export.document(services, uuid.UUID(alice.id)):
        size += len(piece)
    took, (_, peak) = time.perf_counter() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert code["code"]
    assert size > 5_000 * 100
    assert peak < 20 * 2**20, f"{peak} bytes, {took} s"
