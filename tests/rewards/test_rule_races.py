"""Changes of rules, and dry runs, beside other calls."""

from concurrency import at_once
from rewards.conftest import CREDIT, good

RULES = "/api/v1/programs/default/reward-rules"


async def test_a_rule_that_many_replace_at_once_gets_a_version_from_each(shop):
    rule = await shop.rule()

    answers = await at_once(
        lambda n: shop.call("PUT", f"{RULES}/{rule['id']}", json=CREDIT | {"amount_minor": 1000 + n}),
        range(12),
    )

    assert [answer.status_code for answer in answers] == [200] * 12
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 14))


async def test_dry_runs_take_no_coupon_from_an_event(shop):
    rule = await shop.rule(kind="coupon")
    good(await shop.call("POST", f"{RULES}/{rule['id']}/coupons", json={"codes": ["ONLY"]}), 201)
    await shop.pair()
    body = {
        "id": "dry",
        "type": "purchase",
        "participant": {"external_id": "bob"},
        "occurred_at": shop.now.isoformat(),
    }

    async def call(number):
        if number == 10:
            return await shop.send()
        return await shop.call("POST", "/api/v1/events/dry-run", json=body)

    answers = await at_once(call, range(20))

    assert [reward["coupon"] for reward in answers[10].json()["rewards"]] == ["ONLY"]
