"""The page of a program's reward rules: the form for a rule, and the pool of coupons."""

import pytest

from pages.pressing import press
from rewards.conftest import SCOPES, Shop
from server_keys import make_key

pytestmark = pytest.mark.one_database

HERE = "/admin/programs/default/rules"
TERMS = {"trigger": "purchase", "beneficiary": "referrer", "kind": "credit", "approval": "manual"}


@pytest.fixture
async def shop(app, api) -> Shop:
    return Shop(api, await make_key(app, SCOPES))


@pytest.fixture
async def office(browser, rita):
    await browser.sign_in(rita)
    return browser


async def test_a_form_has_major_units_percent_and_days(office, shop):
    limits = {"min_amount_minor": "9,50", "max_events": "1", "within": "30", "hold": "14"}
    cap = {"cap_count": "10", "cap_per": "month"}

    sent = await press(
        office, HERE, HERE, **TERMS, **limits, **cap, basis_points="7.5", description="<b>7</b>"
    )

    assert sent.headers["location"] == f"{HERE}?done=created"
    answer = await shop.call("GET", "/api/v1/programs/default/reward-rules")
    (rule,) = answer.json()["items"]
    assert (rule["basis_points"], rule["min_amount_minor"], rule["max_events"]) == (750, 950, 1)
    assert (rule["within"], rule["hold"], rule["approval"]) == (30 * 86_400, 14 * 86_400, "manual")
    assert rule["cap"] == {"count": 10, "per": "month"}
    page = (await office.get(HERE)).text
    assert "<dd>7.5%</dd>" in page
    assert "&lt;b&gt;7&lt;/b&gt;" in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Enter either an amount or a percentage."),
        ({"amount_minor": "5", "basis_points": "5"}, "Enter either an amount or a percentage."),
        ({"amount_minor": "4.999"}, "Enter a whole number."),
        ({"amount_minor": "0"}, "This number is too small."),
        ({"basis_points": "101"}, "This number is too large."),
        ({"amount_minor": "5", "hold": "soon"}, "Enter a whole number."),
    ],
)
async def test_what_is_wrong_is_shown_and_nothing_is_created(office, shop, fields, said):
    page = await press(office, HERE, HERE, **TERMS, **fields)

    assert page.status_code == 422
    assert said in page.text
    assert (await shop.call("GET", "/api/v1/programs/default/reward-rules")).json()["items"] == []


async def test_coupons_are_counted_and_a_rule_ends(office, shop):
    rule = await shop.rule(kind="coupon")
    there = f"{HERE}/{rule['id']}"

    await press(office, HERE, f"{there}/coupons", codes="ONE\r\n TWO \r\n\r\nONE")

    assert "2 of 2 are free" in (await office.get(HERE)).text
    empty = await press(office, HERE, f"{there}/coupons", codes=" \n")
    assert empty.status_code == 422
    assert 'aria-invalid="true"' in empty.text
    assert (await press(office, HERE, f"{there}/end")).headers["location"] == f"{HERE}?done=ended"
    assert "2 of 2 are free" not in (await office.get(HERE)).text
