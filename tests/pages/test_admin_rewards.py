"""The pages of rewards for administrators: the list, a reward with its history, and its steps."""

import re

import pytest

from other_programs import make_program
from pages.pressing import press
from pages.shops import buy, friend_of
from rewards.conftest import SCOPES, Shop
from server_keys import make_key

pytestmark = pytest.mark.one_database


@pytest.fixture
async def shop(app, api) -> Shop:
    return Shop(api, await make_key(app, SCOPES))


@pytest.fixture
async def office(browser, rita):
    await browser.sign_in(rita)
    return browser


def rows_of(page):
    """Return the texts of the cells of each row."""
    assert page.status_code == 200, page.text
    table = re.search(r"<tbody>(.*?)</tbody>", page.text, re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", table[1] if table else "", re.DOTALL)
    return [[re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td.*?</td>", row)] for row in rows]


async def step(office, reward, name, **fields):
    here = f"/admin/rewards/{reward['id']}"
    return await press(office, here, f"{here}/{name}", **fields)


async def test_a_reward_goes_through_its_steps_and_shows_its_history(office, shop, alice):
    await shop.rule(approval="manual", description="<b>5</b> dollars")
    reward = await buy(shop, await friend_of(alice))
    here = f"/admin/rewards/{reward['id']}"

    assert (await step(office, reward, "approve")).headers["location"] == f"{here}?done=approve"
    done = await step(office, reward, "fulfil", external_reference="=payout")
    assert done.headers["location"] == f"{here}?done=fulfil"
    await step(office, reward, "reverse", reason="Half was returned.", amount_minor="2,50")
    page = await office.get(here + "?done=reverse")

    assert "The reward is taken back." in page.text
    assert "&lt;b&gt;5&lt;/b&gt; dollars" in page.text
    assert [row[1:] for row in rows_of(page)] == [
        ["pending", "$5.00", "a server", "–"],
        ["approved", "–", "a signed-in user", "–"],
        ["fulfilled", "–", "a signed-in user", "–"],
        ["fulfilled", "-$2.50", "a signed-in user", "Half was returned."],
    ]
    read = await shop.reward(reward["id"])
    assert (read["status"], read["remaining_minor"]) == ("fulfilled", 250)
    assert read["external_reference"] == "=payout"


async def test_what_is_wrong_with_a_step_is_shown_beside_its_field(office, shop, alice):
    await shop.rule()
    reward = await buy(shop, await friend_of(alice))

    for fields, said in (
        ({"reason": ""}, "Please fill this in."),
        ({"reason": "Fraud", "amount_minor": "4.999"}, "Enter a whole number."),
        ({"reason": "Fraud", "amount_minor": "0"}, "This number is too small."),
        ({"reason": "Fraud", "amount_minor": "5.01"}, "The reward has less left than this amount."),
    ):
        page = await step(office, reward, "reverse", **fields)
        assert page.status_code == 422, page.text
        assert said in page.text
    assert (await shop.reward(reward["id"]))["remaining_minor"] == 500

    await step(office, reward, "cancel", reason="Fraud")
    late = await step(office, reward, "approve")
    assert late.status_code == 409
    assert "another state meanwhile" in late.text
    assert (await step(office, reward, "destroy")).status_code == 404
    assert (await office.get("/admin/rewards/019a5e8c-0000-7000-8000-000000000000")).status_code == 404


async def test_the_list_is_filtered_by_person_program_and_status(office, shop, api, alice, bob):
    other = await make_program(api)
    await shop.rule()
    first = await buy(shop, await friend_of(alice, "carol"))
    await buy(shop, await friend_of(bob, "dave"), "order-2")
    await shop.step(first["id"], "cancel", reason="Fraud")

    async def people(**query):
        return [row[1] for row in rows_of(await office.get("/admin/rewards", params=query))]

    assert await people() == ["Bob", "Alice Liddell"]
    assert await people(q="alice@example.com") == ["Alice Liddell"]
    assert await people(q="Lidd") == ["Alice Liddell"]
    assert await people(status="canceled") == ["Alice Liddell"]
    assert await people(q="default") == ["Bob", "Alice Liddell"]
    assert await people(q=other.slug) == []


async def test_the_file_has_exact_amounts_and_no_formulas(office, shop, alice):
    await shop.rule(description="=cmd()", basis_points=1)
    reward = await buy(shop, await friend_of(alice), amount={"minor": 70_000, "currency": "USD"})
    await shop.step(reward["id"], "fulfil", external_reference="@payout")

    file = (await office.get("/admin/rewards.csv")).content.decode("utf-8-sig")

    head, line = file.splitlines()
    assert head.startswith('"Amount","Left","Currency","Person","For","Kind","Status"')
    assert line.startswith('"0.07","0.07","USD","Alice Liddell","referrer","credit","fulfilled"')
    assert '"\'@payout","\'=cmd()"' in line


async def test_amounts_of_points_are_whole(office, shop, alice):
    await shop.rule(kind="points", amount_minor=120)
    reward = await buy(shop, await friend_of(alice))

    assert rows_of(await office.get("/admin/rewards"))[0][0] == "120 points"
    assert (await step(office, reward, "reverse", reason="Fraud", amount_minor="1.5")).status_code == 422
    await step(office, reward, "reverse", reason="Fraud", amount_minor="20")
    page = await office.get(f"/admin/rewards/{reward['id']}", headers={"Accept-Language": "ru"})

    assert rows_of(page)[-1][2] == "-20 баллов"
