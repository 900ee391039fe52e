"""Concurrent registrations with one code: the counts, the lists and the responses agree."""

import asyncio
from collections import Counter

from concurrency import at_once
from people import make_code, referrals_of, register

MINE = "/api/v1/me/referral-codes"


async def test_max_uses_holds_for_concurrent_registrations(api, alice, rows):
    code = await make_code(alice, max_uses=10)

    answers = await at_once(lambda n: register(api, f"guest{n}", referral_code=code["code"]), range(100))

    assert Counter(answer.status_code for answer in answers) == {201: 10, 422: 90}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 422} == {"code_not_usable"}
    assert len(await referrals_of(alice)) == 10
    assert (await alice.get(f"{MINE}/{code['code']}")).json()["uses"] == 10
    assert await rows("SELECT count(*) FROM users") == [(11,)]


async def test_unlimited_codes_accept_all_concurrent_registrations(api, alice):
    code = await make_code(alice)

    answers = await at_once(lambda n: register(api, f"guest{n}", referral_code=code["code"]), range(100))

    assert Counter(answer.status_code for answer in answers) == {201: 100}
    assert len(await referrals_of(alice)) == 100
    assert (await alice.get(f"{MINE}/{code['code']}")).json()["uses"] == 100


async def test_concurrent_registrations_of_one_address_are_one_referral(api, alice):
    code = await make_code(alice)

    answers = await at_once(lambda _: register(api, "bob", referral_code=code["code"]), range(30))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 29}
    assert len(await referrals_of(alice)) == 1
    assert (await alice.get(f"{MINE}/{code['code']}")).json()["uses"] == 1


async def test_a_referee_has_one_referrer(api, alice, mallory):
    codes = [await make_code(owner) for owner in (alice, mallory)]

    answers = await at_once(lambda code: register(api, "bob", referral_code=code["code"]), codes * 10)

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 19}
    assert len(await referrals_of(alice)) + len(await referrals_of(mallory)) == 1


class Guests:
    """Users who register with a code in eight concurrent sequences until `stop` is set."""

    def __init__(self, api, code):
        self.api, self.code = api, code
        self.number = 0
        self.stop = False
        self.some_joined = asyncio.Event()
        self.answers = []

    async def arrive(self):
        while not self.stop:
            self.number += 1
            answer = await register(self.api, f"guest{self.number}", referral_code=self.code["code"])
            self.answers.append(answer)
            if self.joined() >= 20:
                self.some_joined.set()

    def joined(self):
        return sum(answer.status_code == 201 for answer in self.answers)

    async def while_they_arrive(self, action):
        """Run `action` after twenty registrations, while others are running, and return its result."""
        queues = asyncio.gather(*(self.arrive() for _ in range(8)))
        await self.some_joined.wait()
        answer = await action()
        self.stop = True
        await queues
        return answer


async def test_deletion_during_registrations_is_consistent(api, alice, rows):
    code = await make_code(alice)
    guests = Guests(api, code)

    deleted = await guests.while_they_arrive(lambda: alice.delete(f"{MINE}/{code['code']}"))
    late = [await register(api, f"late{number}", referral_code=code["code"]) for number in range(3)]

    assert deleted.status_code == 204
    assert {answer.status_code for answer in late} == {422}
    assert {answer.status_code for answer in guests.answers} <= {201, 422}
    assert {a.json()["code"] for a in guests.answers if a.status_code == 422} <= {"code_not_usable"}
    assert await rows("SELECT uses FROM referral_codes") == [(guests.joined(),)]
    assert await rows("SELECT count(*) FROM referrals") == [(guests.joined(),)]
    assert await rows("SELECT count(*) FROM users") == [(guests.joined() + 1,)]


async def test_the_owner_is_not_starved_by_registrations(api, alice):
    code = await make_code(alice)
    guests = Guests(api, code)

    hidden = await guests.while_they_arrive(
        lambda: alice.patch(f"{MINE}/{code['code']}", {"discoverable": False})
    )

    assert hidden.status_code == 200
    assert {answer.status_code for answer in guests.answers} == {201}


async def test_replacement_during_registrations_is_consistent(api, alice):
    old, new = await make_code(alice), await make_code(alice, active=False)
    guests = Guests(api, old)

    replaced = await guests.while_they_arrive(
        lambda: alice.post(f"{MINE}/{new['code']}/activate", {"replace": True})
    )
    late = await register(api, "late", referral_code=old["code"])

    assert (replaced.status_code, late.status_code) == (200, 422)
    uses = {code["code"]: code["uses"] for code in (await alice.get(MINE)).json()["items"]}
    assert uses == {old["code"]: guests.joined(), new["code"]: 0}
