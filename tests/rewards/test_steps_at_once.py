"""Steps of rewards in parallel: each ends in one legal state, and balances stay sums."""

import asyncio
from functools import partial
from typing import Any
from uuid import UUID

from httpx2 import Response

from concurrency import at_once
from goodword.referrals import service as referrals
from people import as_a_request
from rewards.conftest import good
from rewards.test_reward_races import check_sums, referees

PAIRS: dict[str, Any] = {
    "approve and reverse": (("approve", {}), ("reverse", {"reason": "fraud"})),
    "approve and cancel": (("approve", {}), ("cancel", {"reason": "test"})),
    "cancel and fulfil": (("cancel", {"reason": "test"}), ("fulfil", {"external_reference": "p-1"})),
    "fulfil and fulfil": (
        ("fulfil", {"external_reference": "p-1"}),
        ("fulfil", {"external_reference": "p-2"}),
    ),
    "reverse parts": (
        ("reverse", {"reason": "a", "amount_minor": 300}),
        ("reverse", {"reason": "b", "amount_minor": 300}),
    ),
}
LEGAL = {
    (None, "pending"),
    (None, "approved"),
    ("pending", "approved"),
    ("approved", "approved"),
    ("approved", "fulfilled"),
    ("fulfilled", "reversed"),
    ("approved", "reversed"),
    ("pending", "canceled"),
    ("approved", "canceled"),
}


async def take(shop, reward_id: str, step: str, body: dict[str, Any], _time: int) -> Response:
    """Take a step with a reward."""
    return await shop.step(reward_id, step, **body)


async def test_e76_parallel_steps_end_in_one_legal_state(shop, rows):
    """Several rewards for each pair of steps, all at the same time."""
    await shop.rule(hold=3600, trigger="pending")
    await shop.rule(trigger="approved")
    await referees(shop, 1)
    calls = []
    for name, pair in PAIRS.items():
        kind = "pending" if name.startswith("approve") else "approved"
        for n in range(4):
            event = await shop.event(f"{name} {n}", "bob-0", type=kind)
            calls += [(name, event["rewards"][0]["id"], step) for step in pair]

    answers = await at_once(lambda call: shop.step(call[1], call[2][0], **call[2][1]), calls)

    codes = {}
    for (name, reward_id, _), answer in zip(calls, answers, strict=True):
        codes.setdefault((name, reward_id), []).append(answer.status_code)
    states = dict(await rows("SELECT CAST(id AS TEXT), status FROM rewards"))
    states = {reward_id.replace("-", ""): status for reward_id, status in states.items()}
    seen = {
        (name, tuple(found), states[reward_id.replace("-", "")]) for (name, reward_id), found in codes.items()
    }
    assert seen <= {
        ("approve and reverse", (200, 409), "approved"),
        ("approve and reverse", (200, 200), "reversed"),
        ("approve and cancel", (200, 200), "canceled"),
        ("approve and cancel", (409, 200), "canceled"),
        ("cancel and fulfil", (200, 409), "canceled"),
        ("cancel and fulfil", (409, 200), "fulfilled"),
        ("fulfil and fulfil", (200, 409), "fulfilled"),
        ("fulfil and fulfil", (409, 200), "fulfilled"),
        ("reverse parts", (200, 422), "approved"),
        ("reverse parts", (422, 200), "approved"),
    }
    assert {
        tuple(row) for row in await rows("SELECT DISTINCT from_status, to_status FROM reward_entries")
    } <= LEGAL
    await check_sums(rows)


async def test_e76_a_repeated_step_changes_nothing(shop, rows):
    await shop.rule(hold=3600)
    await shop.pair()
    (reward,) = (await shop.event())["rewards"]
    before = "SELECT count(*) FROM reward_entries"

    steps: list[tuple[str, dict[str, Any]]] = [
        ("approve", {}),
        ("fulfil", {"external_reference": "p-1"}),
        ("reverse", {"reason": "fraud"}),
    ]
    for step, body in steps:
        answers = await at_once(partial(take, shop, reward["id"], step, body), range(5))
        assert [answer.status_code for answer in answers] == [200] * 5
        assert len({answer.text for answer in answers}) == 1

    assert await rows(before) == [(4,)]
    assert await rows("SELECT count(*) FROM audit_events WHERE action LIKE 'reward.%'") == [(3,)]
    assert (await shop.step(reward["id"], "approve")).json()["code"] == "reward_state"


async def reject(shop, referral_id):
    services = shop.api.app.state.services
    with as_a_request(services):
        async with services.database.transaction() as session:
            await referrals.reject(session, services, referral_id, reason="fraud", now=services.clock())


async def test_a_rejection_beside_events_leaves_no_reward(shop, rows):
    """Expect no reward whether an event comes before the rejection of its referral or after it."""
    await shop.rule()
    await referees(shop, 6)
    ids = [UUID(str(row[0])) for row in await rows("SELECT id FROM referrals")]

    async def one(n):
        if n % 4 == 2:
            return await reject(shop, ids[n // 4])
        return await shop.send(f"order-{n}", f"bob-{n % 6}")

    answers = await asyncio.gather(*(one(n) for n in range(24)))

    assert {answer.status_code for answer in answers if answer is not None} == {201}
    assert await rows("SELECT coalesce(sum(remaining_minor), 0) FROM rewards") == [(0,)]
    await check_sums(rows)


async def test_a_reward_is_taken_back_once_by_a_refund_and_a_person(shop, rows):
    await shop.rule()
    await referees(shop, 1)
    rewards = [(await shop.event(f"order-{n}", "bob-0"))["rewards"][0]["id"] for n in range(10)]

    async def both(n):
        return await asyncio.gather(
            shop.step(rewards[n], "reverse", reason="fraud"),
            shop.refund(f"refund-{n}", f"order-{n}", who="bob-0"),
        )

    answers = await asyncio.gather(*(both(n) for n in range(10)))

    assert {answer.status_code for answer, _ in answers} <= {200, 409}
    assert await rows("SELECT sum(remaining_minor) FROM rewards") == [(0,)]
    await check_sums(rows)
    good(await shop.call("GET", "/api/v1/rewards"), 200)
