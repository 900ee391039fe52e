"""Refunds beside reversals by hand, and of what an erased person bought."""

import pytest

from rewards.conftest import good
from rewards.test_reward_races import check_sums


async def left_of(shop, *steps):
    """Make a reward of 500, do the steps, and return what is left of it, and its status."""
    name = "-".join(steps)
    (reward,) = (await shop.event(name))["rewards"]
    for step in steps:
        if step.startswith("refund"):
            await shop.refund(f"{name}-{step}", name, int(step.removeprefix("refund ")))
        else:
            amount = int(step.removeprefix("reverse "))
            good(await shop.step(reward["id"], "reverse", reason="a test", amount_minor=amount), 200)
    found = await shop.reward(reward["id"])
    return found["remaining_minor"], found["status"]


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        (("reverse 100", "refund 5000"), 150),
        (("refund 2000", "reverse 100", "refund 3000"), 150),
        (("reverse 250", "refund 5000"), 0),
    ],
)
async def test_reversals_and_refunds_in_part_leave_the_same_in_any_order(shop, rows, steps, left):
    await shop.rule()
    await shop.pair()

    found = [await left_of(shop, *order) for order in (steps, steps[::-1])]

    assert [amount for amount, _ in found] == [left, left]
    await check_sums(rows)


async def test_the_order_of_an_erased_person_can_be_refunded(shop, rows):
    await shop.rule(basis_points=1000)
    await shop.pair()
    (reward,) = (await shop.event("order-1"))["rewards"]
    good(await shop.step(reward["id"], "fulfil", external_reference="p-1"), 200)
    await shop.delete("bob")
    await shop.report("bob")

    first = {"metadata": {"for": "bob"}, "occurred_at": shop.now}
    part, again = [await shop.refund("refund-1", "order-1", 2500, **first) for _ in range(2)]
    half = await shop.reward(reward["id"])
    by_id = {"id": part["participant"]["id"]}
    whole = await shop.refund("refund-2", "order-1", participant=by_id)
    unknown = await shop.refund("refund-3", "order-1", who="no-one")

    assert (part["participant"]["external_id"], part["metadata"], part["warnings"]) == (None, {}, [])
    assert again == part
    assert (half["status"], half["remaining_minor"]) == ("fulfilled", 750)
    assert whole["participant"] == unknown["participant"] == part["participant"]
    found = await shop.reward(reward["id"])
    assert (found["status"], found["remaining_minor"]) == ("reversed", 0)
    await check_sums(rows)


async def test_only_refunds_of_their_own_orders_reach_erased_people(shop, other_shop):
    await shop.rule()
    await shop.pair()
    order = await shop.event("order-1")
    await shop.delete("bob")
    erased = {"id": order["participant"]["id"]}

    answers = [
        await shop.send("order-2", participant=erased),
        await shop.send("refund-1", type="refund", refunds="order-9", participant=erased),
        await other_shop.send("refund-1", type="refund", refunds="order-1", participant=erased),
    ]

    assert [answer.json()["code"] for answer in answers] == ["participant_not_found"] * 3
    assert [one["remaining_minor"] for one in await shop.rewards()] == [500]
