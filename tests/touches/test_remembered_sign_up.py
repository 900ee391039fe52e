"""A person who comes back without the code is attributed by the touch that the browser remembers."""

import json

import pytest

from goodword.programs.models import Attribution
from people import PASSWORD, make_code, referrals_of, register

BOB = {"email": "bob@example.com", "password": PASSWORD, "first_name": "Bob"}


@pytest.fixture
async def remembering(change_program):
    await change_program(remember_touch=True)


@pytest.fixture
def sign_up(browser):
    async def send(**fields):
        answer = await browser.send(await browser.get("/sign-up"), **BOB, **fields)
        assert answer.status_code in {303, 422}, answer.text
        return answer

    return send


@pytest.fixture
def how(rows):
    """Return the first name of the referrer and what connected the two, for each referral."""

    async def read():
        return await rows(
            "SELECT u.first_name, r.attributed_by FROM referrals r JOIN users u ON u.id = r.referrer_id"
        )

    return read


async def test_without_a_code_the_touch_counts(remembering, browser, alice, code, sign_up, how):
    await browser.get(f"/r/{code}")

    await sign_up()

    assert await how() == [("Alice", "touch")]
    [referral] = await referrals_of(alice)
    assert (referral["referee"]["display_name"], referral["code"]) == ("Bob", code)


async def test_the_touch_is_forgotten_after_the_sign_up(remembering, browser, code, sign_up):
    await browser.get(f"/r/{code}")

    answer = await sign_up()

    assert any(
        "goodword-touch=" in header and "Max-Age=0" in header
        for header in answer.headers.get_list("set-cookie")
    )


async def test_e44_a_typed_code_beats_the_touch(remembering, browser, code, mallory, sign_up, how):
    await browser.get(f"/r/{code}")

    await sign_up(referral_code=(await make_code(mallory))["code"])

    assert await how() == [("Mallory", "code")]


@pytest.mark.parametrize(("attribution", "referrer"), [("first_touch", "Alice"), ("last_touch", "Mallory")])
async def test_e44_the_program_says_which_of_two_touches_counts(
    change_program, browser, code, mallory, sign_up, how, attribution, referrer
):
    await change_program(remember_touch=True, attribution=Attribution(attribution))
    for link in (code, (await make_code(mallory))["code"]):
        await browser.get(f"/r/{link}")

    await sign_up()

    assert await how() == [(referrer, "touch")]


async def test_e43_a_code_that_has_expired_since_the_click_counts(
    remembering, browser, alice, code, clock, sign_up, how
):
    await browser.get(f"/r/{code}")
    clock.forward(hours=2)

    answer = await sign_up(referral_code=code)

    assert answer.status_code == 303
    assert await how() == [("Alice", "touch")]


async def test_e43_after_the_grace_the_code_is_refused(remembering, browser, code, clock, sign_up, how):
    await browser.get(f"/r/{code}")
    clock.forward(days=2)

    answer = await sign_up(referral_code=code)

    assert answer.status_code == 422
    assert await how() == []


async def test_a_touch_that_does_not_count_is_no_obstacle(
    remembering, browser, alice, code, sign_up, how, rows
):
    await browser.get(f"/r/{code}")
    await alice.delete(f"/api/v1/me/referral-codes/{code}")

    answer = await sign_up()

    assert answer.status_code == 303
    assert await how() == []
    [(details,)] = await rows("SELECT details FROM audit_events WHERE action = 'referral.refused'")
    assert json.loads(details)["reason"] == "code_retired"


async def test_without_remember_touch_nothing_is_remembered(browser, code, sign_up, how):
    await browser.get(f"/r/{code}")

    await sign_up()

    assert await how() == []


async def test_an_entered_code_is_recorded_with_network_and_device(
    browser, alice, code, sign_up, touches, rows
):
    await sign_up(referral_code=code)

    columns = "kind, network_mac IS NULL, device_mac IS NULL, host"
    assert [tuple(row) for row in await touches(columns)] == [("entry", False, False, None)]
    assert await rows("SELECT touch_id FROM referrals") == await rows("SELECT id FROM touches")


async def test_an_entered_code_that_is_refused_is_not_recorded(browser, code, api, touches):
    await register(api, "bob", referral_code=code)
    before = len(await touches())
    await register(api, "bob", referral_code=code)
    await register(api, "carol", referral_code="ZZZZ-9")

    assert len(await touches()) == before == 1
