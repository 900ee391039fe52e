"""Webhook events of rewards: the row of a new reward is inserted just before the commit, and has to be found."""

import pytest

from goodword.webhooks.bodies import RewardEvent
from goodword.webhooks.kinds import WebhookKind
from rewards.conftest import SCOPES, Shop, good
from server_keys import make_key

KINDS = tuple(kind for kind in WebhookKind if kind.startswith("reward."))


@pytest.fixture
async def shop(app, api):
    return Shop(api, await make_key(app, SCOPES))


async def test_the_history_of_a_reward_is_sent_in_order(shop, webhooks, receiver, deliver):
    await webhooks.create(*KINDS, url=receiver.url)
    await shop.rule()
    await shop.pair()

    (reward,) = (await shop.event())["rewards"]
    good(await shop.step(reward["id"], "fulfil", external_reference="payout-1"), 200)
    await shop.refund("refund-1", of="order-1")
    await deliver()

    sent = [(one.json["sequence"], one.json["type"]) for one in receiver.got]
    kinds = ["reward.created", "reward.approved", "reward.fulfilled", "reward.reversed"]
    assert sorted(sent) == list(enumerate(kinds, start=1))
    data = next(one.json["data"] for one in receiver.got if one.json["type"] == "reward.approved")
    assert (data["id"], data["status"], data["program"]) == (reward["id"], "approved", "default")
    assert (data["amount_minor"], data["currency"], data["beneficiary"]) == (500, "USD", "referrer")
    assert (data["participant"]["external_id"], data["event_id"]) == ("alice", "order-1")
    for one in receiver.got:
        RewardEvent.model_validate(one.json, strict=False, extra="forbid")


async def test_a_manual_reward_is_created_as_pending(shop, webhooks, receiver, deliver):
    await webhooks.create(*KINDS, url=receiver.url)
    await shop.rule(approval="manual")
    await shop.pair()

    await shop.event()
    await deliver()

    assert [(one.json["type"], one.json["data"]["status"]) for one in receiver.got] == [
        ("reward.created", "pending")
    ]
