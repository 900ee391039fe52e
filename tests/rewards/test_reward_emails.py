"""The e-mail about rewards that were approved."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from goodword.rewards.emails import PERIOD
from goodword.users.models import User
from people import bring, register
from second_service import second_service

LATER = timedelta(minutes=12)


@pytest.fixture(autouse=True)
async def a_period_begins(app, alice):
    clock = app.state.services.clock
    clock.ahead += PERIOD - (clock() - datetime.min.replace(tzinfo=UTC)) % PERIOD
    await alice.start_session()
    await change(app, alice, verified_at=clock())


async def change(app, person, **values):
    async with app.state.services.database.transaction() as session:
        await session.execute(update(User).where(User.email == person.email).values(**values))


async def earned(post, app):
    """Return the e-mails about rewards, when their time has come."""
    app.state.services.clock.ahead += LATER
    return [message for message in await post() if message.kind == "reward_earned"]


async def test_rewards_of_ten_minutes_are_in_one_email(shop, alice, post, app):
    await shop.rule(trigger="referral_confirmed", amount_minor=499)
    await shop.rule(trigger="referral_confirmed", kind="points", amount_minor=100)
    await bring(alice, "bob", "carol")

    (message,) = await earned(post, app)
    assert message.to == alice.email
    assert "$9.98, 200 points" in message.text
    assert "/rewards" in message.text
    assert await earned(post, app) == []


async def test_in_russian(shop, alice, post, app):
    await change(app, alice, language="ru")
    await shop.rule(trigger="referral_confirmed", amount_minor=499)
    await bring(alice, "bob")

    (message,) = await earned(post, app)
    assert "Вам начислено: 4,99\N{NO-BREAK SPACE}$" in message.text


async def test_a_held_reward_is_told_when_it_is_approved(shop, alice, post, app):
    await shop.rule(trigger="referral_confirmed", hold=3600)
    await bring(alice, "bob")

    assert await earned(post, app) == []
    await shop.end_holds(after=timedelta(hours=1))
    assert len(await earned(post, app)) == 1


async def test_what_is_canceled_meanwhile_is_not_told(shop, alice, post, app):
    await shop.rule(trigger="referral_confirmed")
    await bring(alice, "bob")
    (reward,) = await shop.rewards()
    await shop.step(reward["id"], "cancel", reason="a test")

    assert await earned(post, app) == []


async def test_a_participant_without_an_account_gets_none(shop, post, app):
    await shop.rule(trigger="referral_confirmed")
    await shop.pair("anna", "boris")

    assert await earned(post, app) == []


async def test_a_person_who_unsubscribed_gets_none(shop, alice, post, app):
    await shop.rule(trigger="referral_confirmed")
    code = await bring(alice, "bob")
    (message,) = await earned(post, app)
    token = re.search(r"/unsubscribe\?token=(\S+)", message.text)[1]
    await alice.api.post("/api/v1/unsubscribes", json={"token": token})
    await register(alice.api, "carol", referral_code=code["code"])

    assert len(await shop.rewards()) == 2
    assert await earned(post, app) == []


async def test_a_setting_turns_it_off(shop, alice, post, app, database_url, tmp_path):
    await shop.rule(trigger="referral_confirmed")
    clock = app.state.services.clock
    async with second_service(database_url, clock=clock, reward_emails="off", data_dir=tmp_path) as other:
        await bring(replace(alice, api=other), "bob")

    assert len(await shop.rewards(status="approved")) == 1
    assert await earned(post, app) == []


async def test_an_address_that_is_not_verified_gets_none(shop, alice, post, app):
    await change(app, alice, verified_at=None)
    await shop.rule(trigger="referral_confirmed")
    await bring(alice, "bob")

    assert await earned(post, app) == []


async def test_no_job_is_enqueued_for_people_without_an_account(shop, rows):
    await shop.rule()
    await shop.pair("ann", "ben")
    assert [one["status"] for one in (await shop.event(who="ben"))["rewards"]] == ["approved"]

    assert await rows("SELECT count(*) FROM jobs WHERE kind = 'reward_approved'") == [(0,)]
