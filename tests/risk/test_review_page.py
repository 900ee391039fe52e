"""The page on which administrators review held referrals."""

import pytest
from sqlalchemy import text

from asgi import client_of
from pages.pressing import press
from people import bring, referrals_of
from third_party import Browser

pytestmark = pytest.mark.one_database

PAGE = "/admin/reviews"


@pytest.fixture
async def browser(app, rita):
    async with client_of(app) as client:
        found = Browser(client)
        await found.sign_in(rita)
        yield found


@pytest.fixture
async def held(app, alice, signals):
    """The id of a held referral with a signal."""
    await bring(alice, "carol")
    (referral,) = await referrals_of(alice)
    async with app.state.services.database.transaction() as session:
        await session.execute(text("DELETE FROM events"))  # of the confirmation
        await session.execute(text("UPDATE referrals SET status = 'held', confirmed_at = NULL"))
        await session.execute(
            text(
                "INSERT INTO risk_signals (id, created_at, referral_id, kind, level, number)"
                " SELECT id, created_at, id, 'velocity', 'high', 201 FROM referrals"
            )
        )
    return referral["id"]


async def test_the_page_says_what_speaks_for_and_against(browser, held):
    shown = (await browser.get(PAGE)).text

    assert "201 people signed up with this code within an hour." in shown
    assert "high risk" in shown
    assert "Confirmed referrals of the referrer: 0" in shown
    assert "Held referrals (1)" in shown


async def test_the_page_is_in_russian(browser, held):
    shown = (await browser.client.get(PAGE, headers={"accept-language": "ru"})).text

    assert "Регистраций с этим кодом за час: 201." in shown
    assert "Приглашения на проверке (1)" in shown


async def test_a_referral_is_accepted(browser, alice, held):
    answer = await press(browser, PAGE, f"{PAGE}/accept", of=held)

    assert answer.headers["location"].endswith("?done=accepted")
    assert (await referrals_of(alice))[0]["status"] == "confirmed"
    assert "No referral is held." in (await browser.get(PAGE)).text


async def test_a_referral_is_rejected_with_a_reason(browser, alice, held, rows):
    without = await press(browser, PAGE, f"{PAGE}/reject", of=held, reason=" ")
    assert without.headers["location"].endswith("?done=reason")
    assert (await referrals_of(alice))[0]["status"] == "held"

    await press(browser, PAGE, f"{PAGE}/reject", of=held, reason="Twice")

    assert (await referrals_of(alice))[0]["status"] == "rejected"
    assert await rows("SELECT decision, reason, actor FROM reviews") == [("rejected", "Twice", "user")]
