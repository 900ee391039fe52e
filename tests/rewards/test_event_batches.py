"""Events in batches."""

import pytest

from rewards.conftest import good


def body(shop, event_id, who, **fields):
    return {
        "id": event_id,
        "type": "purchase",
        "participant": {"external_id": who},
        "occurred_at": shop.now.isoformat(),
        "amount": {"minor": 10_000, "currency": "USD"},
    } | fields


async def send(shop, *items, **options):
    return good(await shop.call("POST", "/api/v1/events/batch", json={"items": items}, **options), 200)


async def test_a_refused_item_harms_no_other(shop):
    await shop.rule(cap={"count": 5, "per": "ever"})
    await shop.pair()
    await shop.event("known")
    items = [
        body(shop, "order-1", "bob"),
        body(shop, "known", "bob", amount={"minor": 1, "currency": "USD"}),
        body(shop, "order-2", "nobody"),
        {"id": "order-3"},
        body(shop, "order-4", "bob"),
    ]

    found = await send(shop, *items)

    assert [one["status"] for one in found["items"]] == [201, 409, 404, 422, 201]
    assert [one["id"] for one in found["items"]] == ["order-1", "known", "order-2", "order-3", "order-4"]
    assert found["items"][3]["error"]["errors"][0]["field"].startswith("body.items.3.")
    rewards = await shop.rewards()
    assert [one["event_id"] for one in rewards] == ["known", "order-1", "order-4"]
    for reward in rewards:
        assert sum(entry["amount_minor"] for entry in (await shop.reward(reward["id"]))["history"]) == 500


async def test_a_cap_holds_within_a_batch(shop):
    await shop.rule(cap={"count": 3, "per": "ever"})
    await shop.pair()

    found = await send(shop, *(body(shop, f"order-{number}", "bob") for number in range(8)))

    assert [len(one["event"]["rewards"]) for one in found["items"]] == [1] * 3 + [0] * 5
    assert len(await shop.rewards()) == 3


@pytest.mark.one_database
async def test_a_repeated_batch_is_answered_alike(shop):
    await shop.rule()
    await shop.pair()
    items = [body(shop, "order-1", "bob"), {"id": "order-2"}]

    first = await send(shop, *items, headers={"Idempotency-Key": "a"})
    again = await send(shop, *items, headers={"Idempotency-Key": "a"})

    for answer in (first, again):
        answer["items"][1]["error"].pop("request_id")
    assert first == again
    assert len(await shop.rewards()) == 1
