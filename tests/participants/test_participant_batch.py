"""POST /participants/batch."""

import json

import pytest
from sqlalchemy import event

pytestmark = pytest.mark.one_database


def items(count, **fields):
    return [
        {"external_id": f"user-{n}", "email": f"user-{n}@example.com", "first_name": "Nina", **fields}
        for n in range(count)
    ]


@pytest.mark.both_databases
async def test_each_item_has_its_own_result(acme):
    alice = await acme.report("alice", first_name="Alice")

    answer = await acme.batch(
        {"external_id": "bob", "referral_code": alice["code"]["code"]},
        {"external_id": "alice", "first_name": "Alicia"},
        {"external_id": "carol", "email": "no address"},
        {"external_id": "dora", "email": "dora@example.com", "language": "ru"},
    )

    assert answer.status_code == 200
    found = answer.json()["items"]
    assert [(item["external_id"], item["status"]) for item in found] == [
        ("bob", 201),
        ("alice", 200),
        ("carol", 422),
        ("dora", 201),
    ]
    assert found[2]["participant"] is None
    assert found[2]["error"]["code"] == "validation_failed"
    assert found[2]["error"]["errors"][0]["field"] == "body.items.2.email"
    for item in (found[0], found[1], found[3]):
        assert item["error"] is None
        assert await acme.read(item["external_id"]) == item["participant"]
    assert found[0]["participant"]["referral"]["referrer"]["external_id"] == "alice"
    assert found[1]["participant"]["first_name"] == "Alicia"


@pytest.mark.both_databases
async def test_several_items_of_one_person_are_handled_in_order(acme):
    answer = await acme.batch(
        {"external_id": "bob", "first_name": "One"},
        {"external_id": "carol"},
        {"external_id": "bob", "first_name": "Two", "last_name": "B"},
        {"external_id": "bob", "first_name": "Three"},
    )

    found = answer.json()["items"]
    assert [item["status"] for item in found] == [201, 201, 200, 200]
    assert [item["participant"]["first_name"] for item in found] == ["One", None, "Two", "Three"]
    assert found[3]["participant"]["last_name"] == "B"


@pytest.mark.parametrize(
    "bad",
    [
        "text",
        None,
        5,
        {},
        {"external_id": ""},
        {"external_id": 5},
        {"external_id": " x"},
        {"external_id": "x", "unknown": 1},
        {"external_id": "x", "signed_up_at": "2999-01-01T00:00:00Z"},
        {"external_id": "x", "program": "no-such"},
        {"external_id": "x", "first_name": "\ud800"},
    ],
)
async def test_one_bad_item_harms_no_other(acme, bad):
    headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
    body = json.dumps({"items": [{"external_id": "first"}, bad, {"external_id": "last"}]})

    answer = await acme.call("POST", "/api/v1/participants/batch", content=body, headers=headers)

    assert answer.status_code == 200
    found = answer.json()["items"]
    assert [item["status"] for item in found[::2]] == [201, 201]
    assert found[1]["status"] in {404, 422}
    assert found[1]["status"] == found[1]["error"]["status"]
    assert all(error["field"].startswith("body.items.1") for error in found[1]["error"].get("errors") or ())


async def test_the_program_that_an_item_cannot_have_is_its_own_error(globex, acme):
    await acme.report("user-1")

    answer = await globex.batch(*items(2), {"external_id": "x", "program": "default"})

    assert [item["status"] for item in answer.json()["items"]] == [201, 409, 404]


@pytest.mark.parametrize("count", [0, 101])
async def test_the_number_of_items_is_limited(acme, count):
    answer = await acme.batch(*items(count))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body.items"


@pytest.mark.both_databases
async def test_a_repeated_batch_is_replayed(acme, rows):
    alice = await acme.report("alice")
    batch = [*items(3), {"external_id": "bob", "referral_code": alice["code"]["code"]}, {"external_id": ""}]
    first = await acme.batch(*batch, key="k1")

    again = await acme.batch(*batch, key="k1")

    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert (await acme.batch(*items(2), key="k1")).json()["code"] == "idempotency_key_reused"
    await acme.delete("user-1")
    left = (await acme.batch(*batch, key="k1")).json()["items"]
    assert left[1] == {"external_id": "user-1", "status": 201, "participant": None, "error": None}
    stored = await rows("SELECT body FROM idempotency_keys WHERE key = 'k1'")
    assert "user-" not in stored[0][0]


async def test_warnings_are_those_of_a_single_call(acme, alice):
    answer = await acme.batch(
        {"external_id": "bob", "referral_code": "NOSUCHCODE"},
        {"external_id": "carol", "email": alice.email},
        {"external_id": "dora", "email": "dora@example.com"},
    )

    assert [item["participant"]["warnings"] for item in answer.json()["items"]] == [
        ["code_unknown"],
        ["email_in_use"],
        [],
    ]


async def test_what_is_unchanged_is_reported_again_as_it_was(acme, rows):
    batch = [*items(3), {"external_id": "x"}]
    first = (await acme.batch(*batch)).json()["items"]

    again = (await acme.batch(*batch)).json()["items"]

    assert [item["status"] for item in again] == [200] * 4
    assert [item["participant"] for item in again] == [item["participant"] for item in first]
    assert await rows("SELECT count(*) FROM audit_events WHERE action = 'user.changed'") == [(0,)]


async def test_a_hundred_long_items_fit(acme):
    batch = [
        {
            "external_id": f"auth0|{'x' * 60}{n}",
            "email": f"{'first.last' * 4}{n}@subdomain.example.com",
            "first_name": "Ё" * 20,
            "last_name": "Щ" * 30,
            "language": "ru-RU",
            "referral_code": "https://refer.example.com/r/7KQ2M9XWPA",
            "touch": "019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11",
            "signed_up_at": "2025-01-31T12:00:00.123456+03:00",
        }
        for n in range(100)
    ]

    answer = await acme.batch(*batch)

    assert [item["status"] for item in answer.json()["items"]] == [201] * 100


@pytest.mark.both_databases
async def test_people_cost_few_statements(acme, app):
    code = (await acme.report("alice"))["code"]["code"]
    counted = []
    engine = app.state.services.database.write_engine.sync_engine

    def count(_connection, _cursor, statement, *_):
        counted.append(statement)

    async def statements_of(batch):
        counted.clear()
        answer = await acme.batch(*batch)
        assert {item["status"] for item in answer.json()["items"]} <= {200, 201}
        return len(counted)

    event.listen(engine, "before_cursor_execute", count)
    try:
        new, known = await statements_of(items(100)), await statements_of(items(100))
        referred = [{"external_id": f"friend-{n}", "referral_code": code} for n in range(100)]
        with_codes = await statements_of(referred)
    finally:
        event.remove(engine, "before_cursor_execute", count)

    assert new <= 8
    assert known <= 8
    assert with_codes <= 312
