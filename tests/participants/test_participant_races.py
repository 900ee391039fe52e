"""Calls about one person at the same time."""

import asyncio

from concurrency import at_once
from people import PASSWORD


async def test_fifty_upserts_with_two_codes_give_one_person_with_one_referrer(acme, rows):
    codes = [(await acme.report(name))["code"]["code"] for name in ("alice", "carol")]

    answers = await at_once(lambda n: acme.put("bob", referral_code=codes[n % 2]), range(50))

    assert sorted({answer.status_code for answer in answers}) == [200, 201]
    assert [answer.status_code for answer in answers].count(201) == 1
    people = [answer.json() for answer in answers]
    assert len({person["id"] for person in people}) == 1
    assert len({person["referral"]["id"] for person in people}) == 1
    assert {len(person["warnings"]) for person in people} == {0, 1}
    assert await rows("SELECT count(*) FROM users WHERE external_id = 'bob'") == [(1,)]
    assert await rows("SELECT count(*) FROM referrals") == [(1,)]
    assert await rows("SELECT sum(uses) FROM referral_codes") == [(1,)]
    assert await rows("SELECT count(*) FROM referral_codes") == [(3,)]


async def test_upserts_and_erasures_end_with_one_person_or_none(acme, rows):
    code = (await acme.report("alice"))["code"]["code"]

    async def one(number):
        if number % 4 == 3:
            return await acme.delete("bob")
        return await acme.put("bob", email="bob@example.com", referral_code=code)

    answers = await at_once(one, range(40))

    assert {answer.status_code for answer in answers} <= {200, 201, 204, 404, 409}
    answer = await acme.put("bob", email="bob@example.com")
    assert answer.status_code in {200, 201}
    assert await rows("SELECT count(*) FROM users WHERE external_id = 'bob'") == [(1,)]
    erased = await rows("SELECT count(*) FROM users WHERE status = 'erased'")
    created = await rows("SELECT count(*) FROM audit_events WHERE action = 'user.registered'")
    assert created == [(erased[0][0] + 2,)]


async def test_two_people_who_enter_each_others_codes_make_no_circle(acme, rows):
    for attempt in range(5):
        names = [f"a{attempt}", f"b{attempt}"]
        codes = [(await acme.report(name))["code"]["code"] for name in names]

        answers = await asyncio.gather(
            acme.put(names[0], referral_code=codes[1]), acme.put(names[1], referral_code=codes[0])
        )

        assert {answer.status_code for answer in answers} == {200}
        warnings = sorted(tuple(answer.json()["warnings"]) for answer in answers)
        assert warnings == [(), ("referral_cycle",)]


async def test_batches_with_the_same_people_and_codes_do_not_fail(acme, rows):
    codes = [(await acme.report(f"owner-{n}"))["code"]["code"] for n in range(4)]
    items = [
        {"external_id": f"user-{n}", "first_name": "B", "referral_code": codes[n % 4]} for n in range(20)
    ] + [{"external_id": f"plain-{n}"} for n in range(20)]

    async def one(number):
        return await acme.batch(*(items if number % 2 else reversed(items)))

    answers = await at_once(one, range(6))

    assert {answer.status_code for answer in answers} == {200}
    results = [item for answer in answers for item in answer.json()["items"]]
    assert {item["status"] for item in results} <= {200, 201}
    assert sum(item["status"] == 201 for item in results) == 40
    assert await rows("SELECT count(*) FROM referrals") == [(20,)]
    assert await rows("SELECT sum(uses) FROM referral_codes") == [(20,)]


async def test_a_merge_beside_upserts_and_uses_of_the_code_loses_nothing(acme, api, post, rows):
    person = await acme.report("pat", email="pat@example.com", first_name="Pat")
    answer = await api.post("/api/v1/users", json={"email": "pat@example.com", "password": PASSWORD})
    account = answer.json()
    token = (await post.only("pat@example.com")).token

    async def one(number):
        if number == 5:
            return await api.post("/api/v1/email-verifications/confirm", json={"token": token})
        if number % 2:
            return await acme.put("pat", last_name=f"P{number}")
        return await acme.put(f"friend-{number}", referral_code=person["code"]["code"])

    answers = await at_once(one, range(24))

    assert {answer.status_code for answer in answers} <= {200, 201, 204}
    merged = await acme.read("pat")
    assert merged["id"] == account["id"]
    assert merged["code"] == person["code"]
    assert len((await acme.get("pat", "/referrals")).json()["items"]) == 12
    assert await rows("SELECT count(*) FROM users WHERE external_id = 'pat'") == [(1,)]
