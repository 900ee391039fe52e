"""What `/metrics` counts of events, rewards and held referrals."""

import pytest

from asgi import client_of, running, settings_for
from goodword.app import create_app
from monitoring.test_metrics import growth, scrape
from people import bring_held
from rewards.conftest import SCOPES, Shop
from server_keys import make_key

pytestmark = pytest.mark.one_database


@pytest.fixture
async def shop(app, api):
    return Shop(api, await make_key(app, SCOPES))


async def test_events_and_rewards_are_counted_once(api, shop):
    await shop.rule(hold=3600)

    async def happen():
        await shop.pair()
        await shop.event("order-1", type="a_type_of_the_product")
        at = shop.now
        made = await shop.event("order-2", occurred_at=at)
        await shop.event("order-2", occurred_at=at)
        await shop.step(made["rewards"][0]["id"], "approve")
        await shop.refund("refund-2", of="order-2")
        assert (await shop.send("order-3", who="stranger")).status_code == 404

    counts = await growth(api, happen)

    names = ("goodword_events_total", "goodword_rewards_total")
    assert {key[1:]: number for key, number in counts.items() if key[0] in names and number} == {
        ("sign_up",): 1,
        ("referral_confirmed",): 1,
        ("reported",): 2,
        ("refund",): 1,
        ("pending",): 1,
        ("approved",): 1,
        ("canceled",): 1,
    }


async def test_a_refused_item_of_a_batch_is_not_counted(api, shop):
    await shop.pair()
    order = {"id": "order-1", "type": "purchase", "participant": {"external_id": "bob"}}
    order |= {"occurred_at": shop.now.isoformat()}
    other = order | {"occurred_at": "2020-01-01T00:00:00Z", "id": "order-2"}

    async def happen():
        sent = await shop.call("POST", "/api/v1/events/batch", json={"items": [order, other]})
        assert [one["status"] for one in sent.json()["items"]] == [201, 422]

    counts = await growth(api, happen)

    assert counts["goodword_events_total", "reported"] == 1


async def test_the_age_of_the_oldest_held_referral_is_shown(app, api, alice, database_url, clock):
    assert (await scrape(api))["goodword_oldest_held_referral_seconds",] == 0
    await bring_held(app, alice, "carol", "dave", "erin")
    clock.forward(days=3)

    async with (
        running(create_app(settings_for(database_url), clock=clock)) as other,
        client_of(other) as node,
    ):
        shown = await scrape(node)

    assert 3 * 86_400 <= shown["goodword_oldest_held_referral_seconds",] < 3 * 86_400 + 60
    assert shown["goodword_referrals", "held"] == 2
