"""DELETE /api/v1/me/referral-codes/{code}"""

from collections import Counter

import pytest

from concurrency import at_once
from people import join, make_code, referrals_of, register

PATH = "/api/v1/me/referral-codes"


async def test_deletes_a_code(alice):
    code = await make_code(alice)

    answer = await alice.delete(f"{PATH}/{code['code']}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await alice.get(PATH)).json()["items"] == []


async def test_a_deleted_code_cannot_be_used(api, alice):
    code = await make_code(alice)
    await alice.delete(f"{PATH}/{code['code']}")

    answer = await register(api, "bob", referral_code=code["code"])

    assert (answer.status_code, answer.json()["code"]) == (422, "code_not_usable")
    assert await referrals_of(alice) == []


async def test_a_second_deletion_finds_nothing(alice):
    code = await make_code(alice)
    await alice.delete(f"{PATH}/{code['code']}")

    again = await alice.delete(f"{PATH}/{code['code']}")

    assert (again.status_code, again.json()["code"]) == (404, "code_not_found")


async def test_concurrent_deletions_delete_once(alice):
    code = await make_code(alice)

    answers = await at_once(lambda _: alice.delete(f"{PATH}/{code['code']}"), range(20))

    assert Counter(answer.status_code for answer in answers) == {204: 1, 404: 19}


async def test_another_owners_code_is_not_found(api, alice, mallory):
    code = await make_code(alice)

    answer = await mallory.delete(f"{PATH}/{code['code']}")

    assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")
    assert (await api.get(f"/api/v1/referral-codes/{code['code']}")).status_code == 200


@pytest.mark.one_database
@pytest.mark.parametrize("code", ["7KQ2M9XWPA", "----", "by-email", "%00", "０００００"])
async def test_an_unknown_code_is_not_found(alice, code):
    answer = await alice.delete(f"{PATH}/{code}")

    assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")


@pytest.mark.one_database
async def test_requires_authentication(api, alice):
    code = await make_code(alice)

    answer = await api.delete(f"{PATH}/{code['code']}")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="goodword"'
    assert (await alice.get(f"{PATH}/{code['code']}")).json() == code


@pytest.mark.one_database
async def test_the_code_is_normalised(alice):
    await make_code(alice, code="OLIVIA-2030")

    answer = await alice.delete(f"{PATH}/o1iv1a%202o3o")

    assert answer.status_code == 204
    assert (await alice.get(PATH)).json()["items"] == []


async def test_deletes_a_prepared_code(alice):
    current, code = await make_code(alice), await make_code(alice, active=False)

    answer = await alice.delete(f"{PATH}/{code['code']}")

    assert answer.status_code == 204
    assert (await alice.get(PATH)).json()["items"] == [current]


async def test_deletes_an_expired_code(alice, clock):
    code = await make_code(alice, lifetime=60)
    clock.forward(seconds=60)

    assert (await alice.delete(f"{PATH}/{code['code']}")).status_code == 204
    assert (await alice.get(PATH)).json()["items"] == []


async def test_deletes_a_retired_code(alice):
    old, new = await make_code(alice), await make_code(alice, active=False)
    active = (await alice.post(f"{PATH}/{new['code']}/activate", {"replace": True})).json()

    assert (await alice.delete(f"{PATH}/{old['code']}")).status_code == 204
    assert (await alice.get(PATH)).json()["items"] == [active]


async def test_referrals_of_a_deleted_code_stay(api, alice):
    code = await make_code(alice)
    bob = await join(api, "bob", referral_code=code["code"])

    await alice.delete(f"{PATH}/{code['code']}")

    (referral,) = await referrals_of(alice)
    assert (referral["code"], referral["status"]) == (code["code"], "confirmed")
    assert (await bob.get("/api/v1/me")).json()["referred_by"] == "Alice L."
