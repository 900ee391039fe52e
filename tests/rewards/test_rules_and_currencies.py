"""Currencies, and versions of rules."""

import pytest

from other_programs import make_program
from rewards.conftest import CREDIT, good

pytestmark = pytest.mark.one_database


@pytest.mark.parametrize(
    ("currency", "paid", "earned"),
    [("JPY", 4990, 624), ("KWD", 12_345, 1543), ("USD", 20, 2), ("USD", 12, 2)],
)
async def test_e74_minor_units_stay_and_halves_go_to_the_even_neighbor(shop, currency, paid, earned):
    """12.5 % of 4,990 yen are 623.75, of 12.345 dinars 1.543125, and of 20 and 12 cents 2.5 and 1.5."""
    await shop.change_program(currency=currency)
    await shop.rule(basis_points=1250)
    await shop.pair()

    (reward,) = (await shop.event(amount={"minor": paid, "currency": currency}))["rewards"]

    assert (reward["amount_minor"], reward["currency"]) == (earned, currency)


async def test_e74_another_currency_is_refused_with_a_reason(shop):
    rules = [await shop.rule(basis_points=1000), await shop.rule(kind="points", amount_minor=5)]
    await shop.pair()

    event = await shop.event(amount={"minor": 10_000, "currency": "EUR"})

    expected = [{"rule_id": rule["id"], "reason": "currency_mismatch"} for rule in rules]
    assert (event["rewards"], event["not_rewarded"]) == ([], expected)


@pytest.mark.both_databases
async def test_e75_a_changed_rule_changes_no_reward_that_exists(shop):
    rule = await shop.rule(cap={"count": 2, "per": "ever"}, hold=3600)
    await shop.pair()
    (first,) = (await shop.event("order-1"))["rewards"]
    path = f"/api/v1/programs/default/reward-rules/{rule['id']}"

    terms = CREDIT | {"amount_minor": 700, "cap": {"count": 2, "per": "ever"}}
    replaced = good(await shop.call("PUT", path, json=terms), 200)
    (second,) = (await shop.event("order-2"))["rewards"]
    third = await shop.event("order-3")

    assert (replaced["id"], replaced["version"]) == (rule["id"], 2)
    assert [(one["rule_version"], one["amount_minor"], one["status"]) for one in (first, second)] == [
        (1, 500, "pending"),
        (2, 700, "approved"),
    ]
    assert await shop.rewards() == [first, second]
    assert third["not_rewarded"] == [{"rule_id": rule["id"], "reason": "cap_reached"}]


async def test_e75_the_same_terms_make_no_version_and_an_ended_rule_keeps_its_rewards(shop):
    rule = await shop.rule(hold=60, tiers=[{"from": 0, "amount_minor": 5}], starts_at="2026-01-01T00:00:00Z")
    await shop.pair()
    await shop.event()
    path = f"/api/v1/programs/default/reward-rules/{rule['id']}"
    terms = {name: value for name, value in rule.items() if name not in {"id", "version", "created_at"}}

    assert terms["tiers"] == [{"from": 0, "amount_minor": 5, "basis_points": None}]
    assert good(await shop.call("PUT", path, json=terms), 200) == rule
    assert (await shop.call("DELETE", path)).status_code == 204

    assert (await shop.call("GET", path)).status_code == 404
    assert (await shop.event("order-2"))["not_rewarded"] == []
    (reward,) = await shop.rewards()
    assert (reward["status"], reward["rule_version"]) == ("pending", 1)


async def test_a_program_has_rules_and_events_of_its_own(shop, api):
    await make_program(api, "acme", status="active")
    await shop.rule()
    await shop.pair()

    event = await shop.event(program="acme")

    assert (event["program"], event["rewards"], event["not_rewarded"]) == ("acme", [], [])
    assert len((await shop.event())["rewards"]) == 1
    (page,) = [
        good(await shop.call("GET", "/api/v1/events", params={"id": "order-1", "program": "acme"}), 200)
    ]
    assert [one["program"] for one in page["items"]] == ["acme"]
