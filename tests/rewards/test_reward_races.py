"""Rewards under parallel calls: caps, tiers, pools of coupons, and refunds."""

import asyncio
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest

from concurrency import at_once
from goodword.rewards import holds
from people import as_a_request
from rewards.conftest import Shop, good
from rewards.test_mixed_batches import item, send
from second_service import second_service

MONTH = {"count": 10, "per": "month"}


def boundary(shop):
    """Return the beginning of this month in Berlin."""
    local = shop.now.astimezone(ZoneInfo("Europe/Berlin"))
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


async def referees(shop, count, **about):
    code = (await shop.report("alice"))["code"]["code"]
    people = [{"external_id": f"bob-{n}", "referral_code": code, **about} for n in range(count)]
    answer = good(await shop.batch(*people), 200)
    assert {one["status"] for one in answer["items"]} == {201}


async def months_of(rows):
    return await rows("SELECT month, count(*) FROM rewards GROUP BY month ORDER BY month")


async def check_sums(rows):
    """Check that what is left of each reward is the sum of its entries."""
    wrong = """
        SELECT r.id FROM rewards r LEFT JOIN reward_entries e ON e.reward_id = r.id
        GROUP BY r.id, r.remaining_minor HAVING r.remaining_minor <> coalesce(sum(e.amount_minor), 0)
    """
    assert await rows(wrong) == []


@pytest.mark.parametrize("by", ["calls", "batches", "nodes"])
async def test_e73_a_monthly_cap_holds_under_30_parallel_events_at_the_boundary(
    shop, rows, database_url, database_kind, by
):
    """Half of them happen in each month of the time zone of the program."""
    await shop.change_program(time_zone="Europe/Berlin")
    await shop.rule(cap=MONTH)
    begin = boundary(shop)
    await referees(shop, 30, signed_up_at=(begin - timedelta(days=5)).isoformat())
    times = [begin + timedelta(microseconds=-1), begin]
    events = [(f"order-{n}", f"bob-{n}", times[n % 2]) for n in range(30)]

    if by == "batches":
        parts = [events[n::3] for n in range(3)]
        answers = await at_once(
            lambda part: send(
                shop, *(item(shop, id_, who, occurred_at=at.isoformat()) for id_, who, at in part)
            ),
            parts,
        )
        found = [one["event"] for answer in answers for one in good(answer, 200)["items"]]
    elif by == "nodes" and database_kind == "postgres":
        async with second_service(database_url) as api:
            shops = [shop, Shop(api, shop.key)]
            answers = await at_once(
                lambda n: shops[n % 2].send(*events[n][:2], occurred_at=events[n][2]), range(30)
            )
        found = [good(answer, 201) for answer in answers]
    else:
        answers = await at_once(lambda one: shop.send(*one[:2], occurred_at=one[2]), events)
        found = [good(answer, 201) for answer in answers]

    former, this = ((begin + timedelta(days=d)).strftime("%Y-%m") for d in (-5, 5))
    assert await months_of(rows) == [(former, 10), (this, 10)]
    reasons = [one["reason"] for event in found for one in event["not_rewarded"]]
    assert (reasons, sum(len(event["rewards"]) for event in found)) == (["cap_reached"] * 10, 20)


async def test_30_parallel_events_take_the_10_coupons_of_a_pool(shop, rows):
    rule = await shop.rule(kind="coupon")
    path = f"/api/v1/programs/default/reward-rules/{rule['id']}/coupons"
    added = good(await shop.call("POST", path, json={"codes": [f"C {n}" for n in range(10)]}), 201)
    assert added == {"added": 10, "free": 10, "total": 10}
    await referees(shop, 30)

    answers = await at_once(lambda n: shop.send(f"order-{n}", f"bob-{n}"), range(30))

    events = [good(answer, 201) for answer in answers]
    coupons = [reward["coupon"] for event in events for reward in event["rewards"]]
    reasons = [one["reason"] for event in events for one in event["not_rewarded"]]
    assert (sorted(coupons), reasons) == ([f"C {n}" for n in range(10)], ["coupons_used_up"] * 20)
    assert await rows("SELECT count(*) FROM coupons WHERE reward_id IS NULL") == [(0,)]


async def test_25_parallel_purchases_of_a_person_make_one_reward_for_the_first(shop):
    await shop.rule(max_events=1)
    await shop.pair()

    answers = await at_once(lambda n: shop.send(f"order-{n}"), range(25))

    events = [good(answer, 201) for answer in answers]
    reasons = [one["reason"] for event in events for one in event["not_rewarded"]]
    assert (sum(len(event["rewards"]) for event in events), reasons) == (1, ["max_events_reached"] * 24)


async def test_a_refund_beside_its_purchase_leaves_nothing(shop, rows):
    await shop.rule(basis_points=1000)
    await shop.rule(beneficiary="referee", amount_minor=300)
    await shop.pair()
    at = shop.now

    async def one(n):
        order = f"order-{n // 3}"
        if n % 3 == 0:
            return await shop.send(order, occurred_at=at)
        amount = {"minor": [2500, 7500][n % 3 - 1], "currency": "USD"}
        return await shop.send(f"refund-{n}", type="refund", refunds=order, amount=amount)

    answers = await at_once(one, range(36))

    assert {answer.status_code for answer in answers} == {201}
    assert await rows("SELECT sum(remaining_minor) FROM rewards") in ([(0,)], [(None,)])
    await check_sums(rows)


async def test_tiers_count_each_confirmation_of_parallel_ones_once(shop, rows):
    await shop.rule(
        trigger="referral_confirmed",
        tiers=[{"from": n, "amount_minor": n * 100} for n in range(1, 13)],
    )
    code = (await shop.report("alice"))["code"]["code"]

    answers = await at_once(lambda n: shop.put(f"bob-{n}", referral_code=code), range(12))

    assert {answer.status_code for answer in answers} == {201}
    found = await rows("SELECT amount_minor FROM rewards ORDER BY amount_minor")
    assert found == [(n * 100,) for n in range(1, 13)]


async def test_two_workers_end_each_hold_once(shop, app, rows):
    await shop.rule(hold=3600)
    await referees(shop, 20)
    await at_once(lambda n: shop.send(f"order-{n}", f"bob-{n}"), range(20))
    services = app.state.services
    services.clock.forward(hours=1)

    async def end():
        with as_a_request(services):
            async with services.database.transaction() as session:
                return await holds.approve_due(session, services, now=services.clock())

    ended = await asyncio.gather(*(end() for _ in range(4)))

    assert sum(ended) == 20
    changes = "SELECT to_status, count(*) FROM reward_entries GROUP BY to_status ORDER BY to_status"
    assert await rows(changes) == [("approved", 20), ("pending", 20)]
