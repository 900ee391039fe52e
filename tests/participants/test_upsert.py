"""PUT /participants/{external_id}."""

import pytest
from sqlalchemy import event, update

from goodword.participants.service import LEEWAY
from goodword.programs import service as programs
from goodword.programs.models import Program
from people import join, make_code

pytestmark = pytest.mark.one_database


@pytest.mark.both_databases
async def test_the_first_call_creates_a_person_with_a_code(acme):
    answer = await acme.put(
        "user-42", email="Alice@Example.com", first_name="Alice", last_name="Liddell", language="ru-RU"
    )

    assert answer.status_code == 201
    person = answer.json()
    assert person["external_id"] == "user-42"
    assert person["email"] == "Alice@Example.com"
    assert person["email_verified"] is False
    assert (person["first_name"], person["last_name"], person["language"]) == ("Alice", "Liddell", "ru")
    assert person["code"]["link"].endswith(f"/r/{person['code']['code']}")
    assert person["referral"] is None
    assert person["warnings"] == []
    assert await acme.read("user-42") == person
    assert (await acme.api.get(f"/api/v1/referral-codes/{person['code']['code']}")).status_code == 200


@pytest.mark.both_databases
async def test_a_later_call_changes_what_it_contains(acme):
    first = await acme.report("user-42", email="alice@example.com", first_name="Alice", last_name="Liddell")

    answer = await acme.put("user-42", first_name="Alicia", last_name=None)

    assert answer.status_code == 200
    assert answer.json() == first | {"first_name": "Alicia", "last_name": None}
    found = await acme.api.get(f"/api/v1/referral-codes/{first['code']['code']}")
    assert found.json()["referrer"] == {"display_name": "Alicia"}


async def test_an_empty_body_is_enough(acme):
    person = await acme.report("user-42")

    assert (person["email"], person["first_name"], person["language"]) == (None, None, "en")


async def test_nothing_changed_is_no_event(acme, rows):
    await acme.report("user-42", first_name="Alice")

    await acme.report("user-42", first_name="Alice")

    assert await rows("SELECT count(*) FROM audit_events WHERE action = 'user.changed'") == [(0,)]


@pytest.mark.both_databases
async def test_a_code_attributes_at_the_first_call(acme):
    alice = await acme.report("alice", first_name="Alice", last_name="Liddell")

    bob = await acme.report("bob", referral_code=alice["code"]["link"])

    referral = bob["referral"]
    assert referral["status"] == "confirmed"
    assert referral["referrer"] == {"external_id": "alice", "display_name": "Alice L."}
    assert referral["attributed_by"] == "code"
    assert referral["code"] == alice["code"]["code"]
    assert await acme.read("bob") == bob


async def test_an_account_can_refer_a_participant(acme, alice):
    code = await make_code(alice)

    bob = await acme.report("bob", referral_code=code["code"])

    assert bob["referral"]["referrer"] == {"external_id": None, "display_name": "Alice L."}


async def test_a_later_call_never_changes_the_referrer(acme):
    alice, carol = await acme.report("alice"), await acme.report("carol")
    bob = await acme.report("bob", referral_code=alice["code"]["code"])

    again = await acme.report("bob", referral_code=carol["code"]["code"])

    assert again == bob | {"warnings": ["already_referred"]}


async def test_the_same_code_again_is_no_warning(acme):
    alice = await acme.report("alice")
    bob = await acme.report("bob", referral_code=alice["code"]["code"])

    assert await acme.report("bob", referral_code=alice["code"]["code"]) == bob


async def test_a_code_that_cannot_be_used_does_not_fail_the_call(acme):
    answer = await acme.put("bob", referral_code="NOSUCHCODE")

    assert answer.status_code == 201
    assert answer.json()["referral"] is None
    assert answer.json()["warnings"] == ["code_unknown"]


async def test_ones_own_code_is_refused(acme):
    bob = await acme.report("bob")

    again = await acme.report("bob", referral_code=bob["code"]["code"])

    assert again == bob | {"warnings": ["self_referral"]}


async def test_a_touch_attributes_by_its_code(acme, app):
    alice = await acme.report("alice")
    click = await acme.api.get(f"/r/{alice['code']['code']}", headers={"User-Agent": "Mozilla/5.0"})
    assert click.status_code == 200
    touches = list(app.state.services.touches._waiting)

    bob = await acme.report("bob", touch=str(touches[0]))

    assert bob["referral"]["attributed_by"] == "touch"
    assert bob["referral"]["touch"] == str(touches[0])


@pytest.mark.parametrize("touch", ["rubbish", ["", "also rubbish"], []])
async def test_a_touch_that_is_none_is_ignored(acme, touch):
    bob = await acme.report("bob", touch=touch)

    assert (bob["referral"], bob["warnings"]) == (None, [])


async def test_the_sign_up_of_the_product_is_kept(acme, clock):
    bob = await acme.report("bob", signed_up_at="2024-02-29T12:00:00+03:00")

    assert bob["signed_up_at"] == "2024-02-29T09:00:00Z"


async def test_a_sign_up_in_the_future_is_refused(acme, clock):
    soon, late = clock() + LEEWAY / 2, clock() + LEEWAY * 2

    refused = await acme.put("bob", signed_up_at=late.isoformat())

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "body.signed_up_at"
    assert (await acme.report("bob", signed_up_at=soon.isoformat()))["signed_up_at"] <= clock().isoformat()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "no address"}, "body.email"),
        ({"first_name": " "}, "body.first_name"),
        ({"language": None}, "body.language"),
        ({"signed_up_at": "2024-02-29T12:00:00"}, "body.signed_up_at"),
        ({"touch": 5}, "body.touch"),
        ({"touch": ["x"] * 21}, "body.touch"),
        ({"password": "x"}, "body.password"),
    ],
)
async def test_invalid_fields_are_named(acme, body, field):
    answer = await acme.put("bob", **body)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert (await acme.get("bob")).status_code == 404


async def test_the_address_of_an_account_is_a_warning_and_no_link(acme, alice):
    person = await acme.report("user-42", email="ALICE@example.com")

    assert person["warnings"] == ["email_in_use"]
    assert person["id"] != alice.id
    assert (await alice.get("/api/v1/me")).json()["first_name"] == "Alice"


async def test_two_people_can_be_reported_with_one_address(acme):
    await acme.report("user-42", email="office@example.com")

    assert (await acme.report("user-43", email="office@example.com"))["warnings"] == []


async def test_the_program_gives_no_code_if_it_has_no_lifetime_for_them(acme, app):
    async with app.state.services.database.transaction() as session:
        await session.execute(update(Program).values(code_lifetime=None))
        programs.invalidate(session)

    assert (await acme.report("bob"))["code"] is None


@pytest.mark.both_databases
async def test_a_repeated_request_is_replayed(acme):
    first = await acme.put("bob", first_name="Bob", key="k1")

    again = await acme.put("bob", first_name="Bob", key="k1")

    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert (await acme.put("carol", first_name="Bob", key="k1")).status_code == 422


async def test_an_account_is_no_participant(acme, api):
    person = await join(api, "dora")

    assert (await acme.get(person.id)).status_code == 404


async def test_a_participant_cannot_sign_in_or_reset_a_password(acme, post):
    await acme.report("bob", email="bob@example.com")

    signed_in = await acme.api.post(
        "/api/v1/sessions", json={"email": "bob@example.com", "password": "any words at all"}
    )
    reset = await acme.api.post("/api/v1/password-resets", json={"email": "bob@example.com"})

    assert (signed_in.status_code, signed_in.json()["code"]) == (401, "invalid_credentials")
    assert reset.status_code == 202
    assert await post() == []


async def test_a_reported_address_finds_no_code(acme):
    await acme.report("bob", email="bob@example.com")

    found = await acme.api.get("/api/v1/referral-codes/by-email", params={"email": "bob@example.com"})

    assert found.status_code == 404


async def test_a_report_that_changes_nothing_locks_and_writes_nothing(acme, app):
    code = (await acme.report("alice"))["code"]["code"]
    body = {"email": "bob@example.com", "first_name": "Bob", "language": "en", "referral_code": code}
    first = await acme.report("bob", **body)
    await app.state.services.touches.flush()
    statements = []
    engine = app.state.services.database.write_engine.sync_engine

    def note(_connection, _cursor, statement, *_):
        statements.append(statement.split()[0])

    event.listen(engine, "before_cursor_execute", note)
    try:
        assert await acme.report("bob", **body) == first
    finally:
        event.remove(engine, "before_cursor_execute", note)

    assert set(statements) == {"BEGIN", "SELECT"}
    assert len(statements) <= 7
