"""GET /people: the referrals, and the chart of the last 30 days."""

import re
from datetime import timedelta

import pytest
from pydantic import SecretStr

from people import PASSWORD, bring, make_code, register
from second_service import second_service

pytestmark = pytest.mark.one_database


def names(page):
    return re.findall(r"<p><strong>(.*?)</strong>", page.text)


async def test_shows_referees_with_masked_addresses(browser, alice, api):
    code = await bring(alice, "bob")
    await register(api, "carol", referral_code=code["code"], first_name=None)
    await register(api, "dave", referral_code=code["code"], first_name="<b>Dave</b>", last_name="Evil")
    await browser.sign_in(alice)

    page = await browser.get("/people")

    assert names(page) == ["&lt;b&gt;Dave&lt;/b&gt; E.", "A friend", "Bob"]
    assert "b***@example.com" in page.text
    assert "bob@example.com" not in page.text
    assert page.text.count("confirmed ·") == 3
    assert "Total: 3. Daily maximum: 3." in page.text
    assert page.headers["cache-control"] == "no-store"


async def test_shows_pending_referrals(alice, database_url):
    code = await make_code(alice)
    async with second_service(database_url, smtp_url=SecretStr("smtp://mail.example")) as api:
        await register(api, "bob", referral_code=code["code"])
        await api.post("/sign-in", data={"email": alice.email, "password": PASSWORD})
        page = await api.get("/people")

    assert names(page) == ["Bob"]
    assert page.text.count("not confirmed yet ·") == 1


async def test_paginates(browser, alice, api):
    code = await make_code(alice)
    for number in range(21):
        await register(api, f"friend{number}", referral_code=code["code"])
    await browser.sign_in(alice)

    first = await browser.get("/people")
    (onward,) = re.findall(r'href="(/people\?cursor=[^"]+)"', first.text)
    second = await browser.get(onward)

    assert len(names(first)) == 20
    assert names(second) == ["Friend0"]
    assert "cursor=" not in second.text.partition("<footer>")[0]
    assert "Latest" in second.text


async def test_another_users_referrals_are_not_shown(browser, alice, mallory, api):
    code = await make_code(alice)
    for number in range(21):
        await register(api, f"friend{number}", referral_code=code["code"])
    await browser.sign_in(alice)
    (onward,) = re.findall(r'href="(/people\?cursor=[^"]+)"', (await browser.get("/people")).text)

    await browser.sign_in(mallory)

    assert names(await browser.get("/people")) == []
    for path in (onward, "/people?cursor=x"):
        answer = await browser.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 400
        assert answer.headers["content-type"].startswith("text/html")
        assert "Friend" not in answer.text


async def test_the_chart_names_its_axis_its_dates_and_each_value(browser, alice, clock):
    joined = clock().date()
    await bring(alice, "bob", "carol", lifetime=30 * 86400)
    clock.forward(days=3)
    await browser.sign_in(alice)

    page = (await browser.get("/people")).text

    bars = re.findall(r'<g class="day" tabindex="0" role="img" aria-label="([^"]*)">', page)
    assert bars == [f"{joined:%d %b %Y}: 2 joined"], "no bar for zero"
    assert "<span>2</span><span>1</span><span>0</span>" in page
    today = clock().date()
    dates = f"<span>{today - timedelta(days=29):%d %b %Y}</span><span>{today:%d %b %Y}</span>"
    assert f'<div class="dates">{dates}</div>' in page
    assert "Total: 2. Daily maximum: 2." in page
    assert f"<tr><td>{joined:%d %b %Y}</td><td>2</td></tr>" in page
    assert page.count("</td><td>0</td></tr>") == 29


async def test_a_month_without_referrals_says_what_to_do_next(browser, alice, clock):
    await bring(alice, "bob")
    clock.forward(days=40)
    await browser.sign_in(alice)

    page = (await browser.get("/people")).text

    assert "No one joined in the last 30 days." in page
    assert re.search('href="/">Share your code</a>', page)
    assert "<svg" not in page


async def test_requires_a_session(browser, alice):
    await browser.sign_in(alice)
    await browser.send(await browser.get("/people"))

    answer = await browser.get("/people")

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fpeople")
    assert answer.headers["cache-control"] == "no-store"
