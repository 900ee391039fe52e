"""The page on which administrators review held referrals."""

import re

import pytest

from asgi import client_of
from pages.pressing import press
from people import bring_held, referrals_of
from rewards.conftest import SCOPES, Shop
from server_keys import make_key
from third_party import Browser

pytestmark = pytest.mark.one_database

PAGE = "/admin/reviews"


@pytest.fixture
async def browser(app, rita):
    async with client_of(app) as client:
        found = Browser(client)
        await found.sign_in(rita)
        yield found


async def sign_in(person):
    """Sign a person in, so that their network and device are known."""
    body = {"email": person.email, "password": person.password}
    person.tokens = (await person.api.post("/api/v1/sessions", json=body)).json()


def reviewed(page):
    """Return what speaks against and for each referral on a page."""
    return re.findall(
        r"<h3>What speaks against it</h3>(.*?)<h3>What speaks for it</h3>(.*?)<form", page.text, re.DOTALL
    )


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


async def test_evidence_that_referrals_share_is_counted(app, api, alice, browser):
    shop = Shop(api, await make_key(app, SCOPES))
    await sign_in(alice)
    await bring_held(app, alice, "carol", "dave", "erin")

    page = await browser.get(PAGE)

    (against, speaks_for), _ = reviewed(page)
    assert "The referrer used the same network within a day." in against
    assert "Other referrals of the referrer from the same network: 2" in against
    assert "Other referrals of the referrer with the same kind of browser or device: 2" in against
    assert "Age of the referrer’s account at the sign-up, in days: 0" in against
    assert "Other held referrals of the referrer: 1" in against
    assert "Events that your product reported" not in speaks_for
    dave = re.findall(r"<h2>.*?/admin/users/.*?/admin/users/([^\"]+)", page.text)[0]
    await shop.event("order-1", participant={"id": dave})
    (_, speaks_for), (_, of_erin) = reviewed(await browser.get(PAGE))
    assert "Events that your product reported about the new user: 1" in speaks_for
    assert "Events that your product reported" not in of_erin


async def test_an_account_that_is_not_new_speaks_for_the_referral(app, alice, rita, clock, browser):
    clock.forward(days=7)
    await sign_in(alice)
    await browser.sign_in(rita)
    await bring_held(app, alice, "carol", "dave")

    ((against, speaks_for),) = reviewed(await browser.get(PAGE))

    assert "Age of the referrer’s account" not in against
    assert "Age of the referrer’s account at the sign-up, in days: 7" in speaks_for


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
