"""Rewards of people who merge with an account or are erased, also while events come."""

from uuid import UUID

from concurrency import at_once
from database_search import find_words
from goodword.referrals import service as referrals
from participants.conftest import token_of, verify
from people import PASSWORD, as_a_request, join
from rewards.conftest import good
from rewards.test_reward_races import check_sums

CONFIRM = "/api/v1/email-verifications/confirm"
LOST = """
    SELECT 'event', count(*) FROM events e JOIN users u ON u.id = e.participant_id WHERE u.status = 'erased'
    UNION ALL SELECT 'beneficiary', count(*) FROM rewards r JOIN users u ON u.id = r.user_id WHERE u.status = 'erased'
    UNION ALL SELECT 'referrer', count(*) FROM rewards r JOIN users u ON u.id = r.referrer_id WHERE u.status = 'erased'
"""


async def balances(person):
    return good(await person.get("/api/v1/me/reward-balances"), 200)["items"]


async def test_rewards_and_events_follow_the_account(shop, api, post, rows):
    """Pat is referred by Alice and refers Bob."""
    await shop.rule(beneficiary="referee", cap={"count": 3, "per": "ever"})
    await shop.rule(amount_minor=700, cap={"count": 2, "per": "ever"}, hold=60)
    await shop.pair("alice", "pat", email="pat@example.com")
    await shop.pair("pat", "bob")
    await shop.event("order-1", "pat")
    await shop.event("order-2", "bob")
    pat = await join(api, "pat")
    assert await balances(pat) == []

    await verify(pat, post)

    expected = {"kind": "credit", "currency": "USD", "fulfilled_minor": 0}
    assert await balances(pat) == [expected | {"pending_minor": 700, "approved_minor": 500}]
    await shop.event("order-3", "pat")
    capped = [await shop.event(f"order-{n}", "bob") for n in (4, 5)]
    assert await balances(pat) == [expected | {"pending_minor": 1400, "approved_minor": 1000}]
    assert [len(event["not_rewarded"]) for event in capped] == [0, 1]
    await shop.refund("refund-1", "order-1", who="pat")
    assert await balances(pat) == [expected | {"pending_minor": 1400, "approved_minor": 500}]
    assert await rows(LOST) == [("event", 0), ("beneficiary", 0), ("referrer", 0)]
    await check_sums(rows)


async def test_a_merge_beside_events_loses_no_reward(shop, api, post, rows):
    await shop.rule(beneficiary="referee")
    await shop.rule(amount_minor=700)
    await shop.report("alice")
    for n in range(3):
        name = f"pat-{n}"
        await shop.pair("alice", name, email=f"{name}@example.com")
        await shop.pair(name, f"bob-{n}")
        answer = await api.post("/api/v1/users", json={"email": f"{name}@example.com", "password": PASSWORD})
        assert answer.status_code == 201
        token = await token_of(post, f"{name}@example.com", "verify_email")

        async def one(k, n=n, token=token):
            if k == 4:
                return await api.post(CONFIRM, json={"token": token})
            return await shop.send(f"order-{n}-{k}", f"pat-{n}" if k % 2 else f"bob-{n}")

        answers = await at_once(one, range(12))

        assert sorted(answer.status_code for answer in answers) == [201] * 11 + [204]

    assert await rows(LOST) == [("event", 0), ("beneficiary", 0), ("referrer", 0)]
    assert await rows("SELECT count(*), sum(remaining_minor) FROM rewards") == [(66, 33 * 1200)]
    await check_sums(rows)


async def test_e89_an_erased_referee_leaves_the_rewards_of_the_referrer_and_no_trace(shop, app, post, rows):
    await shop.rule(hold=3600)
    await shop.rule(beneficiary="referee", hold=3600)
    await shop.pair("alice", "robert-8471@example.com")
    event = await shop.event(
        "order-1", "robert-8471@example.com", metadata={"note": "for robert-8471@example.com"}, key="k"
    )
    own = event["rewards"][1]["id"]
    good(await shop.step(own, "approve"), 200)
    good(await shop.step(own, "reverse", reason="robert-8471@example.com asked", amount_minor=100), 200)

    assert (await shop.delete("robert-8471@example.com")).status_code == 204
    await post()

    assert await find_words(app, "robert-8471") == set()
    assert [(one["status"], one["remaining_minor"]) for one in await shop.rewards()] == [
        ("pending", 500),
        ("canceled", 0),
    ]
    page = good(await shop.call("GET", "/api/v1/events", params={"id": "order-1"}), 200)
    assert (page["items"][0]["metadata"], page["items"][0]["participant"]["external_id"]) == ({}, None)
    await check_sums(rows)


async def test_e90_an_erased_referrer_loses_what_is_not_fulfilled(shop, app, post, rows):
    await shop.rule()
    await shop.rule(beneficiary="referee", amount_minor=300)
    await shop.pair("alice-8471", "bob")
    paid = (await shop.event("order-1", key="k1"))["rewards"][0]
    good(await shop.step(paid["id"], "fulfil", external_reference="p-1"), 200)
    await shop.event("order-2", key="k2")

    assert (await shop.delete("alice-8471")).status_code == 204
    await post()

    assert await find_words(app, "alice-8471") == set()
    assert [(one["beneficiary"], one["status"]) for one in await shop.rewards()] == [
        ("referrer", "fulfilled"),
        ("referee", "approved"),
        ("referrer", "canceled"),
        ("referee", "approved"),
    ]
    later = await shop.event("order-3")
    assert [one["beneficiary"] for one in later["rewards"]] == ["referee"]
    assert [one["reason"] for one in later["not_rewarded"]] == ["beneficiary_not_active"]
    assert (await shop.read("bob"))["referral"] is not None
    await check_sums(rows)


async def test_an_erasure_beside_events_leaves_nothing_to_pay(shop, rows):
    await shop.rule(beneficiary="referee")
    await shop.rule(amount_minor=700)
    for n in range(3):
        await shop.pair(f"alice-{n}", f"bob-{n}")

        async def one(k, n=n):
            if k in {3, 8}:
                return await shop.delete(f"bob-{n}" if k == 3 else f"alice-{n}")
            return await shop.send(f"order-{n}-{k}", f"bob-{n}", metadata={"a": "b"})

        answers = await at_once(one, range(12))

        assert {answer.status_code for answer in answers} <= {201, 204, 404}

    unpaid = "SELECT count(*) FROM rewards r JOIN users u ON u.id = r.user_id WHERE u.status = 'erased' AND remaining_minor > 0"
    assert await rows(unpaid) == [(0,)]
    details = "SELECT count(*) FROM events e JOIN users u ON u.id = e.participant_id WHERE u.status = 'erased' AND details IS NOT NULL"
    assert await rows(details) == [(0,)]
    await check_sums(rows)


async def test_e91_who_registers_again_earns_no_second_sign_up_reward(shop, rows):
    rules = [
        await shop.rule(trigger="sign_up", beneficiary="referee"),
        await shop.rule(trigger="referral_confirmed"),
    ]
    code = (await shop.report("alice"))["code"]["code"]
    await shop.report("bob", email="bob@example.com", referral_code=code)
    assert len(await shop.rewards()) == 2
    await shop.delete("bob")

    again = await shop.report("bob-2", email="bob@example.com", referral_code=code)

    ids = [row[0] for row in await rows("SELECT id FROM referrals ORDER BY created_at")]
    if again["referral"]["status"] == "held":
        await accept(shop, ids[-1])
    assert len(await shop.rewards()) == 2
    page = good(await shop.call("GET", "/api/v1/events", params={"external_id": "bob-2"}), 200)
    found = {one["type"]: one["not_rewarded"] for one in page["items"]}
    assert found == {
        kind: [{"rule_id": rule["id"], "reason": "registered_before"}]
        for kind, rule in zip(("sign_up", "referral_confirmed"), rules, strict=True)
    }


async def accept(shop, referral_id):
    services = shop.api.app.state.services
    with as_a_request(services):
        async with services.database.transaction() as session:
            await referrals.accept(session, services, UUID(str(referral_id)), now=services.clock())


async def test_e92_the_export_has_events_and_rewards_and_none_of_the_other_party(shop):
    await shop.rule()
    await shop.rule(beneficiary="referee", amount_minor=300)
    await shop.pair("alice-8471", "bob-8471")
    await shop.event("order-1", "bob-8471", metadata={"plan": "yearly"})

    alice, bob = [(await shop.get(name, "/export")).json() for name in ("alice-8471", "bob-8471")]

    assert ([one["amount_minor"] for one in alice["rewards"]], alice["events"]) == ([500], [])
    assert [one["amount_minor"] for one in bob["rewards"]] == [300]
    assert [(one["to_status"], one["amount_minor"]) for one in bob["reward_entries"]] == [("approved", 300)]
    assert [(one["type"], one["metadata"]) for one in bob["events"]] == [
        ("sign_up", {}),
        ("referral_confirmed", {}),
        ("purchase", {"plan": "yearly"}),
    ]
    assert "alice-8471" not in str(bob["events"]) + str(bob["rewards"])
    assert "bob-8471" not in str(alice["events"]) + str(alice["rewards"])
