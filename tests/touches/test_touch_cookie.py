"""A program with `remember_touch` lets the browser remember the touch, in a cookie with its id alone."""

from http.cookies import SimpleCookie
from uuid import UUID

import pytest

from people import PASSWORD, make_code, referrals_of
from second_service import second_service
from touches.conftest import FIREFOX

pytestmark = pytest.mark.one_database

DAY = 24 * 60 * 60


def cookie_of(answer):
    """Return the cookie that an answer sets, or None."""
    found = SimpleCookie(answer.headers.get("set-cookie", "")).get("goodword-touch")
    return found and found.value


@pytest.fixture
async def click(browser, code):
    """Return a function that opens the link, and returns the touch that its answer has the browser remember."""

    async def open_link(path=code):
        return cookie_of(await browser.get(f"/r/{path}"))

    return open_link


async def test_no_cookie_is_set_by_default(browser, code, change_program):
    for target in (None, "https://acme.example/{code}"):
        await change_program(link_target=target)
        assert "set-cookie" not in (await browser.get(f"/r/{code}")).headers


@pytest.mark.parametrize("target", [None, "https://acme.example/{code}"])
async def test_the_cookie_holds_the_touch_alone(browser, code, change_program, touches, target):
    await change_program(link_target=target, remember_touch=True, attribution_window=7 * DAY)

    answer = await browser.get(f"/r/{code}")

    [header] = answer.headers.get_list("set-cookie")
    cookie = SimpleCookie(header)["goodword-touch"]
    assert (cookie["path"], cookie["max-age"], cookie["samesite"]) == ("/", str(7 * DAY), "lax")
    assert (cookie["httponly"], cookie["secure"], cookie["domain"]) == (True, "", "")
    assert [UUID(str(touch_id)) for (touch_id,) in await touches("id")] == [UUID(cookie.value)]


async def test_the_cookie_is_secure_with_https(code, change_program, database_url):
    await change_program(remember_touch=True)

    async with second_service(database_url, public_url="https://go.acme.example") as api:
        headers = {"User-Agent": FIREFOX, "Host": "go.acme.example"}
        [header] = (await api.get(f"/r/{code}", headers=headers)).headers.get_list("set-cookie")

    assert header.startswith("__Host-goodword-touch=")
    assert SimpleCookie(header)["__Host-goodword-touch"]["secure"] is True


async def test_robots_owners_and_unusable_codes_get_no_cookie(browser, code, alice, change_program):
    await change_program(remember_touch=True)

    assert "set-cookie" not in (await browser.get(f"/r/{code}", headers={"User-Agent": "curl/8"})).headers
    assert "set-cookie" not in (await browser.client.head(f"/r/{code}")).headers
    assert "set-cookie" not in (await browser.get("/r/NOSUCHCODE")).headers
    await browser.sign_in(alice)
    assert "set-cookie" not in (await browser.get(f"/r/{code}")).headers


async def test_the_last_touch_replaces_the_cookie(click, change_program, bob):
    other = await make_code(bob)
    await change_program(remember_touch=True)

    touches = [await click(), await click(), await click(other["code"])]

    assert None not in touches
    assert len(set(touches)) == 3


async def test_the_first_touch_stays_within_the_window(click, change_program, bob, clock):
    other = await make_code(bob, lifetime=30 * DAY)
    await change_program(remember_touch=True, attribution="first_touch", attribution_window=7 * DAY)
    assert await click(other["code"]) is not None

    clock.forward(seconds=60)
    assert await click() is None
    clock.forward(seconds=7 * DAY - 61)
    assert await click(other["code"]) is None
    clock.forward(seconds=2)
    assert await click(other["code"]) is not None


@pytest.mark.parametrize("known", ["0192f0c1-2d3e-7abc-8def-0123456789ab", "no-id", "", "x" * 2000])
async def test_a_cookie_that_names_no_touch_is_replaced(browser, code, change_program, known):
    await change_program(remember_touch=True, attribution="first_touch")

    answer = await browser.get(f"/r/{code}", headers={"Cookie": f"goodword-touch={known}"})

    assert cookie_of(answer) is not None


async def test_a_window_of_zero_sets_no_cookie(click, change_program):
    await change_program(remember_touch=True, attribution_window=0)

    assert await click() is None


@pytest.fixture
async def join_without_the_link(browser):
    """Return a function that registers on our page, with no code in the form, and returns the answer."""

    async def register(name, **fields):
        form = await browser.get("/sign-up")
        return await browser.send(form, email=f"{name}@example.com", password=PASSWORD, **fields)

    return register


@pytest.mark.both_databases
async def test_a_person_who_comes_back_is_attributed(
    browser, code, alice, change_program, join_without_the_link
):
    await change_program(remember_touch=True)
    await browser.get(f"/r/{code}")

    answer = await join_without_the_link("carol", first_name="Carol")

    assert answer.status_code == 303, answer.text
    [referral] = await referrals_of(alice)
    assert (referral["referee"]["display_name"], referral["code"]) == ("Carol", code)
    assert "goodword-touch" not in browser.client.cookies


async def test_a_person_who_comes_back_after_the_window_is_not(
    browser, code, rows, change_program, join_without_the_link, clock
):
    await change_program(remember_touch=True, attribution_window=600)
    answer = await browser.get(f"/r/{code}")
    clock.forward(seconds=601)
    browser.client.cookies.set("goodword-touch", cookie_of(answer))  # a browser that keeps it for ever

    assert (await join_without_the_link("carol")).status_code == 303
    assert await rows("SELECT count(*) FROM referrals") == [(0,)]


async def test_a_typed_code_wins_over_a_remembered_touch(
    browser, code, alice, bob, change_program, join_without_the_link
):
    other = await make_code(bob)
    await change_program(remember_touch=True)
    await browser.get(f"/r/{code}")

    assert (await join_without_the_link("carol", referral_code=other["code"])).status_code == 303
    assert (await referrals_of(alice), len(await referrals_of(bob))) == ([], 1)


async def test_without_the_setting_a_person_who_comes_back_is_not_attributed(
    browser, code, alice, join_without_the_link
):
    await browser.get(f"/r/{code}")

    assert (await join_without_the_link("carol")).status_code == 303
    assert await referrals_of(alice) == []
