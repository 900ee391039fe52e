"""GET /admin: the figures, each from what the service did."""

import html
import re
from datetime import timedelta

import pytest
from pydantic import SecretStr

from goodword.web.html import charts
from mailboxes import Post
from people import bring, make_code, register
from second_service import second_service
from third_party import Browser


def figure(page, name):
    """The figure behind a name, without its link."""
    found = re.search(rf"<dt>{name}</dt>\s*<dd>(?:<a[^>]*>)?([^<]*)", page.text)
    return found[1].strip()


BAR = r'<a class="day" href="([^"]*)" aria-label="([^"]*)">\s*<rect class="reach"'


async def test_who_joined_and_by_a_code(browser, api, rita, alice, clock):
    await bring(alice, "bob", "carol")
    await browser.sign_in(rita)
    today = clock().date()

    page = (await browser.get("/admin")).text

    assert "<strong>4</strong> sign-ups in 30 days" in page
    assert "<strong>2</strong> of them with a code (50%)" in page
    [(onward, value)] = re.findall(BAR, page)
    assert html.unescape(onward) == f"/admin/users?from={today}&to={today}"
    assert value == f"{today:%d %b %Y}: 4 joined, 2 of them with a code"
    assert ">4 / 2</text>" in page, "shown on hover and on focus"
    assert f"<tr><td>{today:%d %b %Y}</td><td>4</td><td>2</td></tr>" in page
    first = today - timedelta(days=29)
    assert f"<span>{first:%d %b %Y}</span><span>{today:%d %b %Y}</span>" in page
    russian = (await browser.get("/admin", headers={"Accept-Language": "ru"})).text
    assert f"<span>{first:%d.%m.%Y}</span><span>{today:%d.%m.%Y}</span>" in russian
    assert re.search(r'class="axis"[^>]*><span>10</span><span>5</span><span>0</span>', page)
    people = (await browser.get(html.unescape(onward))).text
    assert "Total: 4" in people

    clock.forward(days=3)
    await browser.sign_in(rita)
    page = (await browser.get("/admin")).text
    assert [value for _, value in re.findall(BAR, page)] == [
        f"{today:%d %b %Y}: 4 joined, 2 of them with a code"
    ]

    clock.forward(days=30)
    await browser.sign_in(rita)
    page = (await browser.get("/admin")).text
    assert "No one joined in the last 30 days." in page
    assert "<figure" not in page


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

    assert "<strong>1</strong> codes that expire within a week" in page.text


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


def test_bars_fit_the_picture_and_zero_has_none():
    chart = charts.build([(0, 0), (400, 1), (200, 500), (1, 0)])

    assert chart.top == 500
    assert [(bar.height, bar.part) for bar in chart.bars] == [(0, 0), (128, 2), (64, 64), (2, 0)]
    assert all(bar.x + chart.step <= chart.width for bar in chart.bars)


@pytest.mark.parametrize(
    ("most", "end"), [(1, 2), (2, 2), (3, 10), (10, 10), (11, 20), (21, 50), (999, 1000), (100_001, 200_000)]
)
def test_the_axis_ends_at_a_round_number(most, end):
    assert charts.axis_end(most) == end


@pytest.mark.parametrize("server", [None, SecretStr("smtp://mail.example")])
async def test_where_emails_are_kept_without_a_mail_server(database_url, rita, server, tmp_path):
    async with second_service(database_url, smtp_url=server, data_dir=tmp_path) as client:
        browser = Browser(client)
        await browser.sign_in(rita)
        pages = [html.unescape((await browser.get(path)).text) for path in ("/admin", "/admin/jobs")]

    said = f"No mail server is set. E-mails are kept as files in {tmp_path}/emails."
    assert [said in page for page in pages] == [server is None] * 2
