"""GET /rewards: balances and rewards of a person, in plain words and as a file."""

import re
from datetime import timedelta

import pytest

from pages.shops import buy, friend_of
from people import make_code
from rewards.conftest import SCOPES, Shop
from server_keys import make_key

pytestmark = pytest.mark.one_database

NAVIGATION = 'href="/rewards"'


@pytest.fixture
async def shop(app, api) -> Shop:
    return Shop(api, await make_key(app, SCOPES))


def items(page):
    """Return the rewards of a page: each as the text of its lines."""
    parts = re.findall(r"<li>\s*<p><strong>(.*?)</li>", page.text, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", part).split()) for part in parts]


def balances(page):
    parts = re.findall(r'<ul class="strip">(.*?)</ul>', page.text, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", part).split()) for part in parts]


async def test_says_when_a_reward_is_available_and_when_it_is_paid(browser, shop, alice, app):
    await shop.rule(hold=14 * 86_400, description="10 % of <their> order", basis_points=1000)
    reward = await buy(shop, await friend_of(alice))
    await browser.sign_in(alice)

    pending = await browser.get("/rewards")

    until = app.state.services.clock() + timedelta(days=14)
    (line,) = items(pending)
    assert line.startswith(f"$10.00 10 % of &lt;their&gt; order pending until {until:%d %b %Y}")
    assert balances(pending) == ["$0.00 available $10.00 pending $0.00 paid"]
    assert pending.headers["cache-control"] == "no-store"

    assert (await shop.step(reward["id"], "approve")).status_code == 200
    available = await browser.get("/rewards")
    assert "available ·" in items(available)[0]
    assert balances(available) == ["$10.00 available $0.00 pending $0.00 paid"]

    assert (await shop.step(reward["id"], "fulfil")).status_code == 200
    paid = await browser.get("/rewards")
    assert "paid ·" in items(paid)[0]
    assert balances(paid) == ["$0.00 available $0.00 pending $10.00 paid"]

    assert (await shop.step(reward["id"], "reverse", reason="Fraud", amount_minor=300)).status_code == 200
    assert "$7.00 of it is left after a refund." in items(await browser.get("/rewards"))[0]
    assert (await shop.step(reward["id"], "reverse", reason="Fraud")).status_code == 200
    gone = await browser.get("/rewards")
    assert "taken back ·" in items(gone)[0]
    assert "Fraud" not in gone.text
    assert balances(gone) == []


async def test_a_reward_that_waits_for_a_decision_says_so(browser, shop, alice):
    await shop.rule(approval="manual")
    await buy(shop, await friend_of(alice))
    await browser.sign_in(alice)

    assert "waiting for approval ·" in items(await browser.get("/rewards"))[0]


async def test_the_coupon_is_shown_once_the_reward_is_approved(browser, shop, alice):
    rule = await shop.rule(kind="coupon", approval="manual")
    path = f"/api/v1/programs/default/reward-rules/{rule['id']}/coupons"
    assert (await shop.call("POST", path, json={"codes": ["SPRING<1>"]})).status_code == 201
    reward = await buy(shop, await friend_of(alice))
    await browser.sign_in(alice)

    assert "SPRING" not in (await browser.get("/rewards")).text
    assert "SPRING" not in (await browser.get("/rewards.csv")).text

    assert (await shop.step(reward["id"], "approve")).status_code == 200
    assert "Coupon: SPRING&lt;1&gt; available ·" in items(await browser.get("/rewards"))[0]
    assert "SPRING<1>" in (await browser.get("/rewards.csv")).text

    assert (await shop.step(reward["id"], "fulfil")).status_code == 200
    assert "received ·" in items(await browser.get("/rewards"))[0]


async def test_in_russian_points_agree_with_their_number(browser, shop, alice):
    await shop.rule(kind="points", amount_minor=122)
    await buy(shop, await friend_of(alice))
    await browser.sign_in(alice)

    page = await browser.get("/rewards", headers={"Accept-Language": "ru"})

    assert items(page)[0].startswith("122 балла Баллы доступно ·")
    assert balances(page) == ["122 балла доступно 0 баллов ожидает подтверждения 0 баллов получено"]


async def test_paginates_and_balances_are_on_the_first_page(browser, shop, alice):
    await shop.rule()
    bob = await friend_of(alice)
    for number in range(21):
        await buy(shop, bob, f"order-{number}")
    await browser.sign_in(alice)

    first = await browser.get("/rewards")
    (onward,) = re.findall(r'href="(/rewards\?cursor=[^"]+)"', first.text)
    second = await browser.get(onward)

    assert (len(items(first)), len(items(second))) == (20, 1)
    assert balances(first) == ["$105.00 available $0.00 pending $0.00 paid"]
    assert balances(second) == []
    assert "Latest" in second.text


async def test_rewards_of_others_are_not_shown(browser, shop, alice, mallory):
    await shop.rule(description="For Alice")
    bob = await friend_of(alice)
    for number in range(21):
        await buy(shop, bob, f"order-{number}")
    await browser.sign_in(alice)
    (onward,) = re.findall(r'href="(/rewards\?cursor=[^"]+)"', (await browser.get("/rewards")).text)

    await browser.sign_in(mallory)

    own = await browser.get("/rewards")
    assert "No rewards yet" in own.text
    assert "For Alice" not in own.text + (await browser.get("/rewards.csv")).text
    assert (await browser.get(onward, headers={"Accept": "text/html"})).status_code == 400


async def test_the_file_has_all_rewards_and_no_formulas(browser, shop, alice, clock):
    await shop.rule(description="=cmd()")
    bob = await friend_of(alice)
    for number in range(3):
        await buy(shop, bob, f"order-{number}")
    await browser.sign_in(alice)

    file = await browser.get("/rewards.csv")

    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert f'filename="rewards-{clock():%Y-%m-%d}.csv"' in file.headers["content-disposition"]
    head, *lines = file.content.decode("utf-8-sig").splitlines()
    assert head == '"Earned","Reward","Amount","Left","Currency","Status","Available from","Coupon"'
    assert len(lines) == 3
    assert '"\'=cmd()","5.00","5.00","USD","available"' in lines[0]


async def test_the_navigation_leads_to_rewards_once_there_is_a_rule(browser, shop, alice):
    await make_code(alice)
    await browser.sign_in(alice)
    paths = ("/", "/people", "/account")
    assert [NAVIGATION in (await browser.get(path)).text for path in paths] == [False] * 3

    rule = await shop.rule()
    assert [NAVIGATION in (await browser.get(path)).text for path in paths] == [True] * 3

    ended = await shop.call("DELETE", f"/api/v1/programs/default/reward-rules/{rule['id']}")
    assert ended.status_code == 204
    assert NAVIGATION in (await browser.get("/")).text, "rewards of an ended rule stay"


@pytest.mark.parametrize("path", ["/rewards", "/rewards.csv"])
async def test_a_visitor_signs_in_first(browser, path):
    answer = await browser.get(path)

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Frewards")
