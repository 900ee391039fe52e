"""The pages of a program's reward rules: the list, the form for a rule and its next version, and the end of one."""

import re

import pytest

from pages.pressing import press
from pages.shops import buy, friend_of
from rewards.conftest import SCOPES, Shop
from server_keys import make_key

pytestmark = pytest.mark.one_database

HERE = "/admin/programs/default/rules"
NEW = f"{HERE}/new"
TERMS = {"trigger": "purchase", "beneficiary": "referrer", "kind": "credit", "approval": "manual"}
API = "/api/v1/programs/default/reward-rules"


@pytest.fixture
async def shop(app, api) -> Shop:
    return Shop(api, await make_key(app, SCOPES))


@pytest.fixture
async def office(browser, rita):
    await browser.sign_in(rita)
    return browser


def filled(page):
    """Return what is filled in on a page, by the name of the field."""
    inputs = re.findall(r'<input id="(\w+)"[^>]*?value="([^"]*)"', page, re.DOTALL)
    chosen = re.findall(r'<select id="(\w+)".*?value="(\w+)" selected', page, re.DOTALL)
    return dict(inputs + chosen)


async def active(shop):
    return (await shop.call("GET", API)).json()["items"]


async def test_a_form_has_major_units_percent_and_days(office, shop):
    limits = {"min_amount_minor": "9,50", "max_events": "1", "within": "30", "hold": "0.5"}
    cap = {"cap_count": "10", "cap_per": "month"}

    sent = await press(office, NEW, NEW, **TERMS, **limits, **cap, basis_points="7.5", description="<b>7</b>")

    assert sent.headers["location"] == f"{HERE}?done=created"
    (rule,) = await active(shop)
    assert (rule["basis_points"], rule["min_amount_minor"], rule["max_events"]) == (750, 950, 1)
    assert (rule["within"], rule["hold"], rule["approval"]) == (30 * 86_400, 43_200, "manual")
    assert rule["cap"] == {"count": 10, "per": "month"}
    page = (await office.get(HERE)).text
    assert "<dd>7.5%</dd>" in page
    assert "&lt;b&gt;7&lt;/b&gt;" in page


@pytest.mark.parametrize(
    ("fields", "beside", "said"),
    [
        ({}, "amount_minor", "Fill in exactly one of these."),
        ({"amount_minor": "5", "basis_points": "5"}, "amount_minor", "Fill in exactly one of these."),
        ({"amount_minor": "4.999"}, "amount_minor", "no more decimals than it has"),
        ({"amount_minor": "0"}, "amount_minor", "This number is too small."),
        ({"basis_points": "101"}, "basis_points", "This number is too large."),
        ({"basis_points": "a lot"}, "basis_points", "at most two decimals"),
        ({"amount_minor": "5", "hold": "soon"}, "hold", "Enter a number of days."),
        ({"amount_minor": "5", "within": "0"}, "within", "This number is too small."),
        (
            {"amount_minor": "5", "cap_count": "0", "cap_per": "ever"},
            "cap_count",
            "This number is too small.",
        ),
        ({"amount_minor": "5", "starts_at": "2026-02-30T10:00"}, "starts_at", "Enter a date and a time."),
        (
            {"amount_minor": "5", "starts_at": "2027-01-01T10:00", "ends_at": "2027-01-01T10:00"},
            "ends_at",
            "The end must be after the start.",
        ),
        ({"tier_1_from": "3"}, "tier_1_amount_minor", "Fill in exactly one of these."),
        ({"tier_0_amount_minor": "3"}, "tier_0_from", "Please fill this in."),
        ({"tier_2_from": "x", "tier_2_basis_points": "3"}, "tier_2_from", "Enter a whole number."),
    ],
)
async def test_what_is_wrong_is_shown_beside_the_field_and_nothing_is_created(
    office, shop, fields, beside, said
):
    page = await press(office, NEW, NEW, **TERMS, **fields)

    assert page.status_code == 422
    wrong = re.findall(r'<p class="wrong" id="(\w+)-error">([^<]*)</p>', page.text)
    assert [name for name, _ in wrong] == [beside]
    assert said in wrong[0][1]
    kept = filled(page.text)
    assert all(kept[name] == text for name, text in fields.items())
    assert await active(shop) == []


async def test_tiers_are_rows_in_any_order_and_more_rows_can_be_had(office, shop):
    rows = {
        "tier_0_from": "10",
        "tier_0_basis_points": "12.5",
        "tier_3_from": "1",
        "tier_3_amount_minor": "1.50",
    }

    more = await press(office, NEW, NEW, **TERMS, **rows, more="on")

    assert more.status_code == 200
    assert filled(more.text).items() >= rows.items()
    assert 'name="tier_9_from"' in more.text
    assert await active(shop) == []
    await press(office, NEW, NEW, **TERMS, **rows)
    (rule,) = await active(shop)
    assert rule["tiers"] == [
        {"from": 1, "amount_minor": 150, "basis_points": None},
        {"from": 10, "amount_minor": None, "basis_points": 1250},
    ]
    page = (await office.get(HERE)).text
    assert "<dt>Referrals: 1 or more</dt><dd>$1.50</dd>" in page
    twice = await press(office, NEW, NEW, **TERMS, **rows | {"tier_3_from": "10"})
    assert "Two rows begin with the same number of referrals." in twice.text


async def test_twenty_tiers_fit_into_a_form(office, shop):
    rows = {f"tier_{n}_from": str(n) for n in range(20)} | {f"tier_{n}_amount_minor": "5" for n in range(20)}

    sent = await press(office, NEW, NEW, **TERMS, **rows, rows="20")

    assert sent.headers["location"] == f"{HERE}?done=created"
    assert len((await active(shop))[0]["tiers"]) == 20


async def test_the_period_is_in_the_zone_of_the_program(office, shop):
    await shop.change_program(time_zone="Europe/Berlin")
    # 02:30 exists twice on the last Sunday of October, and not at all on the last of March.
    times = {"starts_at": "2026-10-25T02:30", "ends_at": "2027-03-28T02:30"}

    await press(office, NEW, NEW, **TERMS, amount_minor="5", **times)

    (rule,) = await active(shop)
    assert (rule["starts_at"], rule["ends_at"]) == ("2026-10-25T00:30:00Z", "2027-03-28T01:30:00Z")
    page = (await office.get(f"{HERE}/{rule['id']}")).text
    assert "Starts (Europe/Berlin)" in page
    assert filled(page)["starts_at"] == "2026-10-25T02:30"
    assert filled(page)["ends_at"] == "2027-03-28T03:30"


async def test_a_saved_form_is_a_new_version_for_what_comes_later(office, shop, alice):
    rule = await shop.rule(hold=90, ends_at="2030-01-31T12:00:59.25Z")
    bob = await friend_of(alice)
    first = await buy(shop, bob)
    there = f"{HERE}/{rule['id']}"
    page = (await office.get(there)).text
    assert "This is version 1. Saving makes version 2" in page

    sent = await press(office, there, there, **filled(page) | {"amount_minor": "7.25"})

    assert sent.headers["location"] == f"{HERE}?done=changed"
    (found,) = await active(shop)
    changed = {"version": 2, "amount_minor": 725, "created_at": found["created_at"]}
    assert found == rule | changed, "what the form shows shortened keeps its value"
    second = await buy(shop, bob, "order-2")
    assert [one["amount_minor"] for one in (await shop.reward(first["id"]), second)] == [500, 725]
    again = await press(office, there, there, **filled((await office.get(there)).text))
    assert again.headers["location"] == f"{HERE}?done=unchanged"


async def test_a_form_of_an_earlier_version_overwrites_nothing(office, shop):
    rule = await shop.rule()
    there = f"{HERE}/{rule['id']}"
    stale = filled((await office.get(there)).text) | {"amount_minor": "9", "version": "1"}
    await press(office, there, there, **filled((await office.get(there)).text) | {"amount_minor": "7"})

    answer = await press(office, there, there, **stale)

    assert answer.status_code == 409
    assert "This was changed at the same time." in answer.text
    assert [(one["version"], one["amount_minor"]) for one in await active(shop)] == [(2, 700)]


async def test_coupons_are_counted_and_a_rule_ends_after_a_question(office, shop):
    rule = await shop.rule(kind="coupon")
    there = f"{HERE}/{rule['id']}"

    await press(office, there, f"{there}/coupons", codes="ONE\r\n TWO \r\n\r\nONE")

    assert "2 of 2 are free" in (await office.get(HERE)).text
    wrong = await press(office, there, f"{there}/coupons", codes="THREE\nO\u202eNE")
    assert wrong.status_code == 422
    assert 'id="codes-error">Control characters are not allowed here.' in wrong.text
    assert 'aria-invalid="true"' in wrong.text
    assert "THREE\nO" in wrong.text, "the list can be mended"
    assert "Rewards that exist stay" in (await office.get(f"{there}/end")).text
    assert (await press(office, f"{there}/end", f"{there}/end")).headers["location"] == f"{HERE}?done=ended"
    assert await active(shop) == []
    assert (await office.get(there)).status_code == 404


async def test_a_pool_is_of_coupon_rules_alone(office, shop):
    rule = await shop.rule()
    there = f"{HERE}/{rule['id']}"

    answer = await press(office, there, f"{there}/coupons", codes="ONE")

    assert answer.status_code == 422
    assert "Coupons, one a line" not in answer.text


async def test_a_long_list_has_pages(office, shop):
    for number in range(22):
        await shop.rule(description=f"Rule {number}")

    first = (await office.get(HERE)).text
    address = re.search(r'href="([^"]+\?cursor=[^"]+)"', first)
    second = (await office.get(address[1])).text

    titles = [re.findall(r">(Rule \d+)</a></h2>", page) for page in (first, second)]
    assert [len(one) for one in titles] == [20, 2]
    assert titles[1] == ["Rule 1", "Rule 0"]
    assert len(first) < 62 * 1024
