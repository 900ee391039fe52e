"""DELETE /api/v1/me/referral-codes/{code}"""

from collections import Counter

import pytest

from concurrency import at_once
from people import join, make_code, referrals_of, register

PATH = "/api/v1/me/referral-codes"


async def test_it_takes_a_code_away(alice):
    code = await make_code(alice)

    answer = await alice.delete(f"{PATH}/{code['code']}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await alice.get(PATH)).json()["items"] == []


async def test_nobody_joins_with_it_any_more(api, alice):
    code = await make_code(alice)
    await alice.delete(f"{PATH}/{code['code']}")

    answer = await register(api, "bob", referral_code=code["code"])

    assert (answer.status_code, answer.json()["code"]) == (422, "code_not_usable")
    assert await referrals_of(alice) == []


async def test_it_is_not_found_a_second_time(alice):
    code = await make_code(alice)
    await alice.delete(f"{PATH}/{code['code']}")

    again = await alice.delete(f"{PATH}/{code['code']}")

    assert (again.status_code, again.json()["code"]) == (404, "code_not_found")


async def test_one_of_many_at_once_finds_it(alice):
    code = await make_code(alice)

    answers = await at_once(lambda _: alice.delete(f"{PATH}/{code['code']}"), range(20))

    assert Counter(answer.status_code for answer in answers) == {204: 1, 404: 19}


async def test_it_leaves_those_of_others(api, alice, mallory):
    code = await make_code(alice)

    answer = await mallory.delete(f"{PATH}/{code['code']}")

    assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")
    assert (await api.get(f"/api/v1/referral-codes/{code['code']}")).status_code == 200


@pytest.mark.parametrize("code", ["7KQ2M9XWPA", "----", "by-email", "%00", "０００００"])
async def test_it_does_not_find_what_is_not_there(alice, code):
    answer = await alice.delete(f"{PATH}/{code}")

    assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")


async def test_it_wants_to_know_who_is_calling(api, alice):
    code = await make_code(alice)

    answer = await api.delete(f"{PATH}/{code['code']}")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert (await alice.get(f"{PATH}/{code['code']}")).json() == code


async def test_it_finds_the_code_in_any_spelling(alice):
    await make_code(alice, code="OLIVIA-2030")

    answer = await alice.delete(f"{PATH}/o1iv1a%202o3o")

    assert answer.status_code == 204
    assert (await alice.get(PATH)).json()["items"] == []


async def test_it_takes_a_prepared_one(alice):
    current, code = await make_code(alice), await make_code(alice, active=False)

    answer = await alice.delete(f"{PATH}/{code['code']}")

    assert answer.status_code == 204
    assert (await alice.get(PATH)).json()["items"] == [current]


async def test_it_takes_one_past_its_term(alice, clock):
    code = await make_code(alice, lifetime=60)
    clock.forward(seconds=60)

    assert (await alice.delete(f"{PATH}/{code['code']}")).status_code == 204
    assert (await alice.get(PATH)).json()["items"] == []


async def test_it_takes_a_retired_one(alice):
    old, new = await make_code(alice), await make_code(alice, active=False)
    active = (await alice.post(f"{PATH}/{new['code']}/activate", {"replace": True})).json()

    assert (await alice.delete(f"{PATH}/{old['code']}")).status_code == 204
    assert (await alice.get(PATH)).json()["items"] == [active]


async def test_who_came_by_it_stays(api, alice):
    code = await make_code(alice)
    bob = await join(api, "bob", referral_code=code["code"])

    await alice.delete(f"{PATH}/{code['code']}")

    (referral,) = await referrals_of(alice)
    assert (referral["code"], referral["status"]) == (code["code"], "confirmed")
    assert (await bob.get("/api/v1/me")).json()["referred_by"] == "Alice L."
