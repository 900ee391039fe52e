"""Events, rules and steps with hostile bodies: each is refused with the field, and none breaks the service."""

import json
from typing import Any
from uuid import uuid4

from asgi import forget_limits
from rewards.conftest import CREDIT, good

HUGE = 10**400
TEXTS = ["", "\0", "a\nb", "\ud800", "a" * 256, "\u202e", 7, None, ["a"], {"a": 1}]
EVENTS: list[Any] = [
    *(({"id": bad}, "id") for bad in [*TEXTS, " ", "goodword:sign_up:1", "goodword:"]),
    *(
        ({"type": bad}, "type")
        for bad in ["", "Purchase", "a" * 65, "sign_up", "referral_confirmed", "a-b", "ä", "a\n", 1, None]
    ),
    *(
        ({"participant": bad}, "participant")
        for bad in [None, "bob", [], {}, {"external_id": "bob", "id": str(uuid4())}]
    ),
    *(({"participant": {"external_id": bad}}, "participant") for bad in ["", "\0", "a" * 256, 7, "\udfff"]),
    *(({"participant": {"id": bad}}, "participant") for bad in ["x", 7, HUGE, "\0"]),
    *(
        ({"occurred_at": bad}, "occurred_at")
        for bad in [
            "2026-11-28",
            "2026-11-28T12:00:00",
            "2026-13-28T12:00:00Z",
            "2026-02-30T12:00:00Z",
            "2026-11-28T12:00:00+25:00",
            "9999-12-31T23:59:59-23:59",
            "9999-12-31T23:59:59Z",
            "0001-01-01T00:00:00+23:59",
            "0000-01-01T00:00:00Z",
            "1999-01-01T00:00:00Z",
            "2026-11-28T12:00:60Z",
            1764331200,
            HUGE,
            "now",
            None,
        ]
    ),
    *(({"amount": bad}, "amount") for bad in [1, "1 USD", [], {}, {"minor": 1}, {"currency": "USD"}]),
    *(
        ({"amount": {"minor": bad, "currency": "USD"}}, "amount.minor")
        for bad in [-1, 1.5, 1.0, "1", True, 10**15 + 1, 2**63, HUGE, None]
    ),
    *(
        ({"amount": {"minor": 1, "currency": bad}}, "amount.currency")
        for bad in ["usd", "XXXX", "", "US\0", 840, None]
    ),
    *(({"refunds": bad}, "refunds") for bad in ["", "\0", "goodword:x", 7, []]),
    ({"refunds": "order-1"}, ""),
    ({"refunds": "order-0", "amount": {"minor": 0, "currency": "USD"}}, ""),
    *(
        ({"metadata": bad}, "metadata")
        for bad in [
            "text",
            [],
            {"a": {"b": "c"}},
            {"a": 1},
            {"a": None},
            {"a": ["b"]},
            {"": "a"},
            {"a" * 65: "b"},
            {"a": "b" * 501},
            {"a\0": "b"},
            {"a": "\0"},
            {"a": "\ud800"},
            {"\ud800": "a"},
            {str(n): "a" for n in range(21)},
        ]
    ),
    *(({"program": bad}, "program") for bad in ["", "A B", "\0", 7, "a" * 300]),
    ({"unknown": 1}, "unknown"),
]
RULES: list[Any] = [
    *(({"trigger": bad}, "trigger") for bad in ["", "A", "\0", 7, None, "a" * 65]),
    *(({"beneficiary": bad}, "beneficiary") for bad in ["both", 1, None]),
    *(({"kind": bad}, "kind") for bad in ["cash", 1, None]),
    *(({"description": bad}, "description") for bad in ["", "a" * 201, "\0", "\ud800", 1]),
    *(({"amount_minor": bad}, "amount_minor") for bad in [0, -1, 1.5, "1", True, 10**15 + 1, HUGE]),
    *(({"amount_minor": None, "basis_points": bad}, "basis_points") for bad in [0, 10_001, 1.5, "1", HUGE]),
    ({"basis_points": 1}, ""),
    ({"amount_minor": None}, ""),
    *(
        ({"amount_minor": None, "tiers": bad}, "tiers")
        for bad in [
            [],
            {},
            [1],
            [{"from": 0}],
            [{"amount_minor": 1}],
            [{"from": -1, "amount_minor": 1}],
            [{"from": HUGE, "amount_minor": 1}],
            [{"from": 0, "amount_minor": 1, "basis_points": 1}],
            [{"from_": 0, "amount_minor": 1}],
            [{"from": n, "amount_minor": 1} for n in range(21)],
        ]
    ),
    ({"amount_minor": None, "tiers": [{"from": 2, "amount_minor": 1}, {"from": 2, "amount_minor": 1}]}, ""),
    *(({"min_amount_minor": bad}, "min_amount_minor") for bad in [0, -1, HUGE, "1"]),
    *(({"max_events": bad}, "max_events") for bad in [0, 1_000_001, HUGE, "1"]),
    *(({"within": bad}, "within") for bad in [0, -1, 10**10, HUGE]),
    *(({"hold": bad}, "hold") for bad in [-1, 10**10, HUGE, None, "1"]),
    *(
        ({"cap": bad}, "cap")
        for bad in [
            1,
            {},
            {"count": 0, "per": "ever"},
            {"count": 1, "per": "day"},
            {"count": HUGE, "per": "ever"},
        ]
    ),
    *(({"starts_at": bad}, "starts_at") for bad in ["x", "9999-12-31T23:59:59-23:59", 1]),
    ({"starts_at": "2026-01-02T00:00:00Z", "ends_at": "2026-01-02T01:00:00+01:00"}, ""),
    *(({"approval": bad}, "approval") for bad in ["never", None]),
    ({"unknown": 1}, "unknown"),
]


def fields_of(answer):
    return [error["field"] for error in answer.json()["errors"]]


def check(answer, field, sent):
    assert answer.status_code == 422, (sent, answer.text)
    expected = f"body.{field}" if field else "body"
    assert all(found.startswith(expected) for found in fields_of(answer)), (sent, fields_of(answer))


async def post(shop, path, body, method="POST"):
    """Send JSON that may have lone surrogates."""
    headers = {"Content-Type": "application/json"}
    return await shop.call(method, path, content=json.dumps(body), headers=headers)


def event(shop, **fields):
    body = {
        "id": "order-1",
        "type": "purchase",
        "participant": {"external_id": "bob"},
        "occurred_at": shop.now.isoformat(),
    }
    return body | fields


async def test_hostile_events_are_refused_with_the_field(shop, app, rows):
    await shop.pair()
    refused = []
    for fields, field in EVENTS:
        forget_limits(app)
        refused.append(event(shop, **fields))
        check(await post(shop, "/api/v1/events", refused[-1]), field, fields)
        check(await post(shop, "/api/v1/events/dry-run", refused[-1]), field, fields)

    for n in range(0, len(refused), 50):
        answer = await post(shop, "/api/v1/events/batch", {"items": refused[n : n + 50]})
        assert {one["status"] for one in good(answer, 200)["items"]} == {422}

    assert await rows("SELECT count(*) FROM events WHERE type = 'purchase'") == [(0,)]


async def test_hostile_rules_are_refused_with_the_field(shop, app, rows):
    path = "/api/v1/programs/default/reward-rules"
    rule = await shop.rule()
    for fields, field in RULES:
        forget_limits(app)
        check(await post(shop, path, CREDIT | fields), field, fields)
        answer = await post(shop, f"{path}/{rule['id']}", CREDIT | fields, "PUT")
        check(answer, field, fields)

    assert await rows("SELECT version FROM reward_rules") == [(1,)]


async def test_hostile_steps_are_refused(shop):
    await shop.rule()
    await shop.pair()
    (reward,) = (await shop.event())["rewards"]
    path = f"/api/v1/rewards/{reward['id']}"

    for reason in ["", "\0", "\ud800", "a" * 256, 7, None]:
        for step in ("cancel", "reverse"):
            check(await post(shop, f"{path}/{step}", {"reason": reason}), "reason", reason)
    for amount in [0, -1, 1.5, "1", HUGE, 10**15 + 1]:
        check(
            await post(shop, f"{path}/reverse", {"reason": "a", "amount_minor": amount}),
            "amount_minor",
            amount,
        )
    check(await post(shop, f"{path}/reverse", {"reason": "a", "amount_minor": 501}), "amount_minor", 501)
    for reference in ["", "\0", "a" * 256, 7]:
        check(
            await post(shop, f"{path}/fulfil", {"external_reference": reference}),
            "external_reference",
            reference,
        )
    for step in ("approve", "fulfil", "cancel", "reverse"):
        for wrong, status in ((str(uuid4()), 404), ("x", 422), ("%00", 422)):
            body = {"reason": "a"} if step in {"cancel", "reverse"} else {}
            answer = await post(shop, f"/api/v1/rewards/{wrong}/{step}", body)
            assert answer.status_code == status, (step, wrong, answer.text)

    assert (await shop.reward(reward["id"]))["history"][1:] == []
