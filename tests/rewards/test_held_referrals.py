"""Rewards of referrals that are held for risk, from the event to the payment, through the API."""

from datetime import datetime, timedelta

import pytest

from asgi import replaced, run_due_jobs
from people import join, make_code
from rewards.conftest import SCOPES, Shop, good
from rewards.test_reward_races import check_sums
from server_keys import make_key

HOLD = timedelta(hours=1)


@pytest.fixture
async def shop(app, api):
    """Return a server that reviews, of a service that holds referrals with disposable addresses."""
    settings = app.state.services.settings.model_copy(update={"email_disposable": "hold"})
    with replaced(app, settings=settings):
        yield Shop(api, await make_key(app, (*SCOPES, "referrals:review")))


@pytest.fixture
async def held(shop):
    """Return a held referral. Purchases wait for an hour, and a confirmation is approved at once."""
    await shop.rule(hold=3600)
    await shop.rule(beneficiary="referee", amount_minor=300, approval="manual")
    await shop.rule(trigger="referral_confirmed", amount_minor=100)
    await shop.rule(trigger="sign_up", amount_minor=50)
    code = (await shop.report("alice"))["code"]["code"]
    joined = await shop.report("bob", referral_code=code, email="bob@mailinator.com")
    assert joined["referral"]["status"] == "held"
    return joined["referral"]["id"]


async def states(shop):
    return {one["amount_minor"]: one["status"] for one in await shop.rewards()}


async def review(shop, referral_id, decision, status=200, **body):
    return good(await shop.call("POST", f"/api/v1/referrals/{referral_id}/{decision}", json=body), status)


def forward(shop, amount):
    shop.api.app.state.services.clock.ahead += amount


async def test_a_released_reward_waits_for_the_rest_of_its_hold_and_is_paid(shop, app, held, rows):
    order = await shop.event()
    ids = {one["amount_minor"]: one["id"] for one in order["rewards"]}
    assert [(one["status"], one["available_at"]) for one in order["rewards"]] == [("pending", None)] * 2
    for reward_id in ids.values():
        assert good(await shop.step(reward_id, "approve"), 409)["code"] == "reward_state"
    forward(shop, HOLD / 2)
    await run_due_jobs(app)
    assert await states(shop) == {500: "pending", 300: "pending", 50: "pending"}

    await review(shop, held, "accept")

    assert await states(shop) == {500: "pending", 300: "pending", 100: "approved", 50: "approved"}
    made, released = (
        (await shop.reward(ids[500]))["created_at"],
        (await shop.reward(ids[500]))["available_at"],
    )
    assert datetime.fromisoformat(released) == datetime.fromisoformat(made) + HOLD
    assert await shop.end_holds(HOLD / 2 - timedelta(seconds=10)) == 0
    assert await shop.end_holds(timedelta(seconds=10)) == 1
    good(await shop.step(ids[500], "fulfil", external_reference="p-1"), 200)
    good(await shop.step(ids[300], "approve"), 200)
    assert await states(shop) == {500: "fulfilled", 300: "approved", 100: "approved", 50: "approved"}
    await check_sums(rows)


async def test_a_referral_that_is_released_after_its_hold_is_approved_at_once(shop, held, rows):
    await shop.event()
    forward(shop, 2 * HOLD)

    await review(shop, held, "accept")
    await review(shop, held, "accept")

    assert await states(shop) == {500: "approved", 300: "pending", 100: "approved", 50: "approved"}
    await check_sums(rows)


async def test_the_rewards_of_a_rejected_referral_are_canceled_and_no_more_are_made(shop, app, held, rows):
    await shop.event()

    await review(shop, held, "reject", reason="the same person")

    forward(shop, 2 * HOLD)
    await run_due_jobs(app)
    assert await states(shop) == {500: "canceled", 300: "canceled", 50: "canceled"}
    assert await review(shop, held, "accept", 409)
    later = await shop.event("order-2")
    assert (later["rewards"], {one["reason"] for one in later["not_rewarded"]}) == ([], {"referral_rejected"})
    await check_sums(rows)


async def test_a_person_who_was_erased_and_registers_again_earns_no_second_sign_up_reward(shop, api, alice):
    rule = await shop.rule(trigger="sign_up", beneficiary="referee")
    await shop.rule(max_events=1)
    code = (await make_code(alice))["code"]
    bob = await join(api, "bob", email="bob.b@gmail.com", referral_code=code)
    assert len(await shop.rewards()) == 1
    await bob.delete("/api/v1/me", json={"password": bob.password})

    again = await join(api, "bob", email="bobb+2@gmail.com", referral_code=code)

    found = good(await shop.call("GET", "/api/v1/events", params={"type": "sign_up"}), 200)
    assert [one["not_rewarded"] for one in found["items"] if one["participant"]["id"] == again.id] == [
        [{"rule_id": rule["id"], "reason": "registered_before"}]
    ]
    assert (await again.get("/api/v1/me/rewards")).json()["items"] == []
    bought = await shop.event(participant={"id": again.id})
    assert [one["beneficiary"] for one in bought["rewards"]] == ["referrer"]
