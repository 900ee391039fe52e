"""Odd ids, times, queries and repeated calls: none breaks the service."""

from datetime import timedelta

from rewards.conftest import good
from rewards.test_hostile_bodies import check, event, fields_of, post


async def test_hostile_queries_are_no_errors_of_the_service(shop):
    for path in ("/api/v1/events", "/api/v1/rewards", "/api/v1/programs/default/reward-rules"):
        for query in (
            {"cursor": "x"},
            {"cursor": "\0"},
            {"limit": "0"},
            {"limit": "1e3"},
            {"limit": "9" * 400},
            {"program": "\0"},
            {"program": "A B"},
            {"status": "paid"},
            {"type": "\0"},
            {"external_id": "\0"},
            {"id": "\0"},
            {"id": "\0" * 300},
            {"id": "a" * 256},
        ):
            answer = await shop.call("GET", path, params=query)
            assert answer.status_code in {200, 400, 422}, (path, query, answer.text)
    assert (await shop.call("GET", "/api/v1/events", params={"program": "acme"})).status_code == 404
    assert (await shop.call("GET", "/api/v1/events", params={"external_id": "none"})).status_code == 404
    assert (await shop.call("GET", "/api/v1/programs/%00/reward-rules")).status_code in {404, 422}


async def test_times_at_the_edge(shop):
    await shop.pair()

    for n, (at, status) in enumerate(
        (
            (shop.now + timedelta(seconds=50), 201),
            (shop.now + timedelta(seconds=90), 422),
            (shop.now - timedelta(days=399), 201),
            (shop.now - timedelta(days=400, seconds=1), 422),
        )
    ):
        answer = await shop.send(f"order-{n}", occurred_at=at)
        assert answer.status_code == status
        if status == 422:
            assert fields_of(answer) == ["body.occurred_at"]
        batch = await post(
            shop, "/api/v1/events/batch", {"items": [event(shop, id=f"b-{n}", occurred_at=at.isoformat())]}
        )
        (result,) = good(batch, 200)["items"]
        assert result["status"] == status
        if status == 422:
            assert [one["field"] for one in result["error"]["errors"]] == ["body.items.0.occurred_at"]


async def test_odd_ids_and_large_bodies(shop, other_shop):
    await shop.pair()
    for event_id in ("a/b", "a b", "..", "é🎁", "a" * 255, "%2F", "'; DROP TABLE events; --"):
        assert (await shop.event(event_id, metadata={"'\"\\": "\\u0000 🎁"}))["id"] == event_id
        page = good(await shop.call("GET", "/api/v1/events", params={"id": event_id}), 200)
        assert [one["id"] for one in page["items"]] == [event_id]
    large = event(shop, metadata={str(n): "é" * 500 for n in range(20)})
    assert (await post(shop, "/api/v1/events", large)).status_code == 201
    too_large = event(shop, id="large", metadata={"a": "b" * 1_100_000})
    assert (await post(shop, "/api/v1/events", too_large)).status_code in {413, 422}
    many = {"items": [event(shop, id=f"n-{n}") for n in range(101)]}
    assert (await post(shop, "/api/v1/events/batch", many)).status_code == 422
    assert (await post(shop, "/api/v1/events/batch", {"items": []})).status_code == 422

    answer = await other_shop.send("order-1")
    assert (answer.status_code, answer.json()["code"]) == (404, "participant_not_found")
    assert (await other_shop.send("order-1", program="default")).json()["code"] == "program_not_found"


async def test_a_thousand_coupons(shop):
    rule = await shop.rule(kind="coupon")
    path = f"/api/v1/programs/default/reward-rules/{rule['id']}/coupons"
    codes = [f"A {n} Z" for n in range(999)] + ["A 1 Z"]

    assert good(await post(shop, path, {"codes": codes}), 201) == {"added": 999, "free": 999, "total": 999}
    assert good(await post(shop, path, {"codes": codes}), 201)["added"] == 0
    for bad in (["a"] * 1001, [], [""], [" "], ["\u00a0"], ["\0"], ["a" * 256], ["\ud800"], [7], "a"):
        check(await post(shop, path, {"codes": bad}), "codes", bad)
    other = await shop.rule()
    answer = await post(shop, path.replace(rule["id"], other["id"]), {"codes": ["a"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_a_coupon_rule")


async def test_an_idempotency_key_is_of_one_body(shop):
    await shop.rule()
    await shop.pair()
    at = shop.now

    first = await shop.send(occurred_at=at, key="k")
    again = await shop.send(occurred_at=at, key="k")
    other = await shop.send("order-2", occurred_at=at, key="k")

    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
