"""Events that a server reports, and the rewards that they make."""

from datetime import timedelta
from itertools import permutations

import pytest

from concurrency import at_once
from rewards.conftest import good


async def test_a_purchase_rewards_the_referrer(shop):
    rule = await shop.rule(description="5 for each order")
    await shop.pair()

    event = await shop.event(metadata={"plan": "yearly"})

    (reward,) = event["rewards"]
    alice = await shop.read("alice")
    assert (event["not_rewarded"], event["warnings"], event["metadata"]) == ([], [], {"plan": "yearly"})
    assert reward["participant"] == {"id": alice["id"], "external_id": "alice"}
    assert (reward["status"], reward["amount_minor"], reward["currency"]) == ("approved", 500, "USD")
    assert (reward["rule_id"], reward["rule_version"]) == (rule["id"], 1)
    assert (reward["event_id"], reward["description"]) == ("order-1", "5 for each order")
    assert await shop.rewards() == [reward]
    assert [entry["amount_minor"] for entry in (await shop.reward(reward["id"]))["history"]] == [500]


async def test_e70_the_same_event_25_times_in_parallel_makes_one_reward_a_side(shop):
    await shop.rule()
    await shop.rule(beneficiary="referee", amount_minor=300)
    await shop.pair()
    at = shop.now

    answers = await at_once(lambda _: shop.send(occurred_at=at), range(25))

    assert sorted(answer.status_code for answer in answers) == [200] * 24 + [201]
    first = answers[0].json()
    assert all(answer.json() == first for answer in answers)
    assert [reward["amount_minor"] for reward in await shop.rewards()] == [500, 300]


async def test_another_event_with_the_id_is_refused(shop):
    await shop.pair()
    at = shop.now
    await shop.event(occurred_at=at)

    for changed in (
        {"type": "renewal"},
        {"amount": {"minor": 1, "currency": "USD"}},
        {"amount": None},
        {"metadata": {"a": "b"}},
        {"who": "alice"},
        {"occurred_at": at - timedelta(seconds=1)},
        {"refunds": "order-0"},
    ):
        answer = await shop.send(**({"occurred_at": at} | changed))
        assert (answer.status_code, answer.json()["code"]) == (409, "event_id_reused")
    assert (await shop.send(occurred_at=at)).status_code == 200


async def test_the_sign_up_and_the_confirmation_are_events(shop):
    await shop.rule(trigger="sign_up", beneficiary="referee", amount_minor=100)
    await shop.rule(trigger="referral_confirmed", amount_minor=200)

    await shop.pair()

    assert [(one["beneficiary"], one["amount_minor"], one["status"]) for one in await shop.rewards()] == [
        ("referee", 100, "approved"),
        ("referrer", 200, "approved"),
    ]
    events = good(await shop.call("GET", "/api/v1/events"), 200)["items"]
    assert [event["type"] for event in events] == ["referral_confirmed", "sign_up"]
    assert [len(event["rewards"]) for event in events] == [1, 1]


@pytest.mark.parametrize("order", list(permutations(["buy", "part", "rest"])))
async def test_e71_refunds_and_their_purchase_come_in_any_order(shop, order):
    await shop.rule(basis_points=1000)
    await shop.rule(amount_minor=333, beneficiary="referee")
    await shop.pair()
    calls = {
        "buy": lambda: shop.event("buy"),
        "part": lambda: shop.refund("part", "buy", 2500),
        "rest": lambda: shop.refund("rest", "buy", 7500),
    }

    for name in order:
        await calls[name]()

    assert all(reward["remaining_minor"] == 0 for reward in await shop.rewards())


async def test_e72_a_refund_during_the_hold_cancels(shop):
    await shop.rule(hold=3600)
    await shop.pair()
    (reward,) = (await shop.event())["rewards"]
    assert reward["status"] == "pending"

    await shop.refund("refund-1", "order-1")

    (reward,) = await shop.rewards()
    assert (reward["status"], reward["remaining_minor"]) == ("canceled", 0)
    assert await shop.end_holds(timedelta(hours=2)) == 0


async def test_e72_after_fulfilment_a_refund_reverses_in_part_and_then_all(shop):
    await shop.rule(basis_points=1000)
    await shop.pair()
    (reward,) = (await shop.event())["rewards"]
    good(await shop.step(reward["id"], "fulfil", external_reference="p-1"), 200)

    await shop.refund("refund-1", "order-1", 2500)
    part = await shop.reward(reward["id"])
    await shop.refund("refund-2", "order-1", 7500)
    whole = await shop.reward(reward["id"])

    assert (part["status"], part["remaining_minor"]) == ("fulfilled", 750)
    assert (whole["status"], whole["remaining_minor"]) == ("reversed", 0)
    assert [entry["amount_minor"] for entry in whole["history"]] == [1000, 0, -250, -750]


async def test_e77_a_paused_program_makes_no_reward_and_says_so(shop):
    rule = await shop.rule()
    await shop.pair()
    await shop.change_program(status="paused")

    event = await shop.event()
    await shop.change_program(status="active")

    assert event["not_rewarded"] == [{"rule_id": rule["id"], "reason": "program_not_active"}]
    assert (await shop.event(occurred_at=event["occurred_at"])) == event
    assert await shop.rewards() == []


async def test_a_hold_ends_by_the_worker(shop):
    await shop.rule(hold=3600)
    await shop.pair()
    await shop.event()

    assert await shop.end_holds() == 0
    assert await shop.end_holds(timedelta(hours=1)) == 1

    assert [reward["status"] for reward in await shop.rewards()] == ["approved"]


async def test_a_dry_run_writes_nothing(shop):
    rule = await shop.rule(hold=60)
    capped = await shop.rule(min_amount_minor=20_000)
    await shop.pair()
    body = {
        "id": "order-1",
        "type": "purchase",
        "participant": {"external_id": "bob"},
        "occurred_at": shop.now.isoformat(),
        "amount": {"minor": 10_000, "currency": "USD"},
    }

    found = good(await shop.call("POST", "/api/v1/events/dry-run", json=body), 200)

    assert [(one["rule_id"], one["amount_minor"], one["status"]) for one in found["rewards"]] == [
        (rule["id"], 500, "pending")
    ]
    assert found["not_rewarded"] == [{"rule_id": capped["id"], "reason": "below_minimum"}]
    assert await shop.rewards() == []
