"""The figures of a program: the funnel of thirty days, and what rewards cost by month."""

import re
from datetime import timedelta

import pytest

from other_programs import make_program
from pages.shops import buy, friend_of
from rewards.conftest import SCOPES, Shop
from server_keys import make_key


@pytest.fixture
async def shop(app, api) -> Shop:
    return Shop(api, await make_key(app, SCOPES))


async def figures(browser, slug="default"):
    page = await browser.get(f"/admin/programs/{slug}/figures")
    assert page.status_code == 200, page.text
    tiles = [int(one) for one in re.findall(r"<strong>(\d+)</strong>", page.text)]
    rows = re.findall(r"<tr>(<td.*?)</tr>", page.text)
    return tiles, [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]


async def test_the_funnel_and_the_costs_of_each_month(browser, shop, api, app, rita, alice):
    await make_program(api, "acme")
    await shop.rule(amount_minor=500)
    await shop.rule(kind="points", beneficiary="referee", amount_minor=120, hold=86_400)
    bob = await friend_of(alice)
    now = app.state.services.clock()
    await shop.event("order-1", participant=bob)
    second = (await shop.event("order-2", participant=bob))["rewards"]
    paid = next(one["id"] for one in second if one["kind"] == "credit")
    await shop.step(paid, "fulfil")
    await shop.step(paid, "reverse", reason="Half", amount_minor=250)
    await browser.sign_in(rita)

    tiles, rows = await figures(browser)

    assert tiles == [0, 1, 1, 2, 4]
    month = f"{now:%Y-%m}"
    assert rows == [
        [month, "Credit", "$0.00", "$5.00", "$2.50"],
        [month, "Points", "240 points", "0 points", "0 points"],
    ]
    assert await figures(browser, "acme") == ([0, 0, 0, 0, 0], [])
    assert (await browser.get("/admin/programs/none-such/figures")).status_code == 404
    file = (await browser.get("/admin/programs/default/costs.csv")).content.decode("utf-8-sig")
    assert f'"{month}","credit","USD","0.00","5.00","2.50"' in file
    assert f'"{month}","points","","240","0","0"' in file


async def test_the_funnel_ends_after_thirty_days(browser, shop, app, rita, alice):
    await shop.rule()
    await buy(shop, await friend_of(alice))
    app.state.services.clock.ahead += timedelta(days=31)
    await browser.sign_in(rita)

    tiles, rows = await figures(browser)

    assert tiles == [0, 0, 0, 0, 0]
    assert len(rows) == 1
