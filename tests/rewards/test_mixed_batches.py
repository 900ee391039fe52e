"""Batches of events: each item as a single call, and a refused one harms no other."""

from concurrency import at_once
from rewards.conftest import good

BATCH = "/api/v1/events/batch"


def item(shop, event_id="order-1", who="bob", **fields):
    body = {
        "id": event_id,
        "type": "purchase",
        "participant": {"external_id": who},
        "occurred_at": shop.now.isoformat(),
        "amount": {"minor": 10_000, "currency": "USD"},
    } | fields
    return {name: value for name, value in body.items() if value is not None}


async def send(shop, *items, key=None):
    headers = {"Idempotency-Key": key} if key else {}
    return await shop.call("POST", BATCH, json={"items": items}, headers=headers)


async def results_of(shop, *items, key=None):
    return good(await send(shop, *items, key=key), 200)["items"]


async def test_a_refused_item_takes_no_reward_of_the_items_before_it(shop, rows):
    await shop.rule(cap={"count": 10, "per": "ever"})
    await shop.pair()

    results = await results_of(
        shop,
        item(shop, "order-1"),
        item(shop, "order-1", amount=None),
        item(shop, "order-2"),
        item(shop, "order-3", who="unknown"),
        item(shop, "order-4"),
    )

    assert [result["status"] for result in results] == [201, 409, 201, 404, 201]
    assert [len(results[n]["event"]["rewards"]) for n in (0, 2, 4)] == [1, 1, 1]
    assert {reward["event_id"] for reward in await shop.rewards()} == {"order-1", "order-2", "order-4"}
    assert await rows("SELECT count(*), sum(amount_minor) FROM reward_entries") == [(3, 1500)]


async def test_the_items_of_a_batch_see_each_other(shop):
    rule = await shop.rule(max_events=2)
    await shop.pair()
    first = item(shop, "order-1")

    results = await results_of(
        shop,
        item(shop, "refund-2", type="refund", amount=None, refunds="order-2"),
        first,
        first,
        item(shop, "order-2"),
        item(shop, "order-3"),
        item(shop, "refund-1", type="refund", amount=None, refunds="order-1"),
    )

    assert [result["status"] for result in results] == [201, 201, 200, 201, 201, 201]
    assert results[1]["event"] == results[2]["event"]
    reasons = [[one["reason"] for one in result["event"]["not_rewarded"]] for result in results]
    assert reasons == [[], [], [], ["refunded"], ["max_events_reached"], []]
    assert [(one["status"], one["rule_id"]) for one in await shop.rewards()] == [("canceled", rule["id"])]


async def test_a_repeated_batch_gets_the_same_answer(shop):
    await shop.rule()
    await shop.pair()
    items = [item(shop, "order-1"), item(shop, "order-2", who="unknown"), {"id": 7}, None, item(shop, "é")]

    answers = [await send(shop, *items, key="k") for _ in range(2)]

    first, second = (good(answer, 200) for answer in answers)
    assert first == second
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert [one["status"] for one in first["items"]] == [201, 404, 422, 422, 201]
    assert good(await send(shop, *items), 200)["items"][0]["status"] == 200
    assert (await send(shop, *items[:1], key="k")).status_code == 422


async def test_batches_in_opposite_orders_make_each_reward_once(shop, rows):
    await shop.rule(cap={"count": 3, "per": "ever"})
    for n in range(4):
        await shop.pair(f"alice-{n}", f"bob-{n}")
    items = [item(shop, f"order-{n}", f"bob-{n % 4}") for n in range(20)]

    answers = await at_once(lambda n: send(shop, *(items if n % 2 else reversed(items))), range(6))

    results = [one for answer in answers for one in good(answer, 200)["items"]]
    assert {one["status"] for one in results} == {200, 201}
    assert sum(one["status"] == 201 for one in results) == 20
    assert await rows("SELECT count(*), sum(remaining_minor) FROM rewards") == [(12, 6000)]
    assert await rows("SELECT count(*), sum(amount_minor) FROM reward_entries") == [(12, 6000)]
