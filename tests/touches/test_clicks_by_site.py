"""/admin/programs/{slug}/clicks: where the clicks of the last thirty days come from."""

import re

import pytest

from asgi import client_of
from goodword.admin import clicks
from people import make_code
from third_party import Browser
from touches.conftest import make_program

PAGE = "/admin/programs/default/clicks"


@pytest.fixture
async def admin(app, rita):
    async with client_of(app) as client:
        browser = Browser(client)
        await browser.sign_in(rita)
        yield browser


def counts(page):
    return re.findall(r'<tr><td>(.*?)</td><td class="number">(.*?)</td></tr>', page.text)


async def test_clicks_are_counted_by_host_and_code(app, browser, admin, alice, bob, code):
    other = (await make_code(bob))["code"]
    for one, site in ((code, "a"), (code, "b"), (other, "b"), (other, "c"), (other, "b")):
        await browser.get(f"/r/{one}", headers={"Referer": f"https://{site}.example/x"})
    await browser.get(f"/r/{code}")
    await app.state.services.touches.flush()
    unknown = "not known: an app, an e-mail, or a typed address"

    all_codes, of_code = await admin.get(PAGE), await admin.get(PAGE, params={"q": code.lower()})

    assert counts(all_codes)[0] == ("b.example", "3")
    assert sorted(counts(all_codes)[1:]) == [("a.example", "1"), ("c.example", "1"), (unknown, "1")]
    assert "Clicks in the last 30 days: 6" in all_codes.text
    assert sorted(counts(of_code)) == [("a.example", "1"), ("b.example", "1"), (unknown, "1")]


async def test_old_clicks_and_those_of_other_programs_are_left_out(app, browser, admin, rita, code, clock):
    await make_program(app, slug="other")
    await browser.get(f"/r/{code}", headers={"Referer": "https://a.example/"})
    await app.state.services.touches.flush()

    assert "No clicks in the last 30 days." in (await admin.get("/admin/programs/other/clicks")).text
    assert len(counts(await admin.get(PAGE))) == 1
    clock.forward(days=30, seconds=1)
    await admin.sign_in(rita)
    assert counts(await admin.get(PAGE)) == []


@pytest.mark.one_database
async def test_the_number_of_hosts_is_limited(app, browser, admin, code, monkeypatch):
    for site in range(clicks.MAX_HOSTS + 3):
        await browser.get(f"/r/{code}", headers={"Referer": f"https://s{site}.example/"})
    await app.state.services.touches.flush()

    page = await admin.get(PAGE)

    assert len(counts(page)) == clicks.MAX_HOSTS
    assert "Only the 100 sites with the most clicks are shown." in page.text


@pytest.mark.one_database
async def test_unknown_codes_and_programs(app, admin, code):
    for text in ("NOSUCHCODE", "x", "<script>"):
        page = await admin.get(PAGE, params={"q": text})
        assert (page.status_code, "The program has no such code." in page.text) == (200, True)
        assert "<script>" not in page.text
    assert (await admin.get(PAGE, params={"q": "a\x00"})).status_code == 200
    assert (await admin.get("/admin/programs/none-such/clicks")).status_code == 404


@pytest.mark.one_database
async def test_only_administrators_see_it(browser, alice):
    assert (await browser.get(PAGE)).status_code == 404
    await browser.sign_in(alice)
    assert (await browser.get(PAGE)).status_code == 404


@pytest.mark.one_database
async def test_the_page_is_in_russian_too(admin, code):
    page = await admin.get(PAGE, headers={"Accept-Language": "ru"})

    assert "Переходы по сайтам" in page.text
    assert "За последние 30 дней переходов не было." in page.text
