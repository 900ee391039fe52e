"""The page on which administrators review held referrals."""

import pytest

from asgi import client_of
from pages.pressing import press
from people import bring_held, referrals_of
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
async def held(app, alice):
    """Return the id of a held referral."""
    return await bring_held(app, alice, "carol", "dave")


async def test_the_page_says_what_speaks_for_and_against(browser, held):
    shown = (await browser.get(PAGE)).text

    assert "2 people signed up with this code within an hour." in shown
    assert "high risk" in shown
    assert "Confirmed referrals of the referrer: 1" in shown
    assert "Held referrals (1)" in shown


async def test_the_page_is_in_russian(browser, held):
    shown = (await browser.client.get(PAGE, headers={"accept-language": "ru"})).text

    assert "Регистраций с этим кодом за час: 2." in shown
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
