"""GET /admin: the figures, each from what the service did."""

import re
from datetime import date

from goodword.admin.pages.statistics import HEIGHT, build_bars
from goodword.admin.statistics import Day
from mailboxes import Post
from people import bring, make_code, register


def figure(page, name):
    """The figure behind a name, without its link."""
    found = re.search(rf"<dt>{name}</dt>\s*<dd>(?:<a[^>]*>)?([^<]*)", page.text)
    return found[1].strip()


async def test_who_joined_and_by_a_code(browser, api, rita, alice, clock):
    await bring(alice, "bob", "carol")
    await browser.sign_in(rita)

    page = await browser.get("/admin")

    assert "Total: 4. Daily maximum: 4." in page.text
    assert "With a code: 2 (50 %)." in page.text
    heights = [int(height) for height in re.findall(r'<rect x="\d+" y="\d+" [^>]*height="(\d+)"', page.text)]
    assert len(heights) == 30
    assert heights[-1] == HEIGHT
    assert re.search(rf'class="by-code" [^>]*height="{HEIGHT // 2}"', page.text)
    assert re.search('<svg [^>]*role="img" aria-labelledby="chart-title chart-text"', page.text)

    clock.forward(days=3)
    await browser.sign_in(rita)
    page = await browser.get("/admin")
    heights = [int(height) for height in re.findall(r'<rect x="\d+" y="\d+" [^>]*height="(\d+)"', page.text)]
    assert [number for number, height in enumerate(heights) if height == HEIGHT] == [26]

    clock.forward(days=30)
    await browser.sign_in(rita)
    assert "Total: 0." in (await browser.get("/admin")).text


async def test_who_brought_most(browser, api, rita, alice, bob):
    await bring(bob, "dave")
    await bring(alice, "erin", "frank", "grace")
    rejected = (await rita.get(f"/api/v1/users/{bob.id}/referrals")).json()["items"][0]["id"]
    await browser.sign_in(rita)
    top = r'<li><a href="/admin/users/[^"]+/tree">(.*?)</a> <strong>(\d+)</strong>'

    assert re.findall(top, (await browser.get("/admin")).text) == [("Alice Liddell", "3"), ("Bob", "1")]
    await rita.post(f"/api/v1/admin/referrals/{rejected}/reject", {"reason": "The same person."})
    assert re.findall(top, (await browser.get("/admin")).text) == [("Alice Liddell", "3")]


async def test_codes_that_end(browser, rita, alice, bob, mallory):
    await make_code(alice, lifetime=6 * 86400)
    await make_code(alice, lifetime=6 * 86400, active=False)
    await make_code(bob, lifetime=8 * 86400)
    gone = await make_code(mallory)
    await mallory.delete(f"/api/v1/me/referral-codes/{gone['code']}")
    await browser.sign_in(rita)

    page = await browser.get("/admin")

    assert figure(page, "Expire within a week") == "1"


async def test_jobs_and_letters(browser, api, rita, app, post: Post):
    await register(api, "bob")
    await browser.sign_in(rita)

    page = await browser.get("/admin")
    waiting = int(figure(page, "Waiting"))
    assert waiting >= 1
    await post()
    page = await browser.get("/admin")

    assert int(figure(page, "Waiting")) < waiting
    assert int(figure(page, "Sent")) >= 1
    assert figure(page, "Failed") == "0"


async def test_nothing_yet(browser, rita):
    await browser.sign_in(rita)

    page = await browser.get("/admin")

    assert page.status_code == 200
    assert "No referrals yet." in page.text


def test_bars_fit_the_picture():
    counts = [(0, 0), (4, 1), (2, 5)]
    days = [Day(date(2026, 1, number + 1), *count) for number, count in enumerate(counts)]
    found = build_bars(days)
    assert [(bar.joined, bar.by_code) for bar in found] == [
        (1, 0),
        (HEIGHT, HEIGHT // 4),
        (HEIGHT // 2, HEIGHT // 2),
    ]
