"""PATCH /api/v1/me/referral-codes/{code}"""

import pytest

from concurrency import at_once
from people import make_code

PATH = "/api/v1/me/referral-codes"
LOOK_UP = "/api/v1/referral-codes"


async def found(api, owner, code):
    """Return whether the code is found by the owner's address, and by code."""
    by_email = await api.get(f"{LOOK_UP}/by-email", params={"email": owner.email})
    return by_email.is_success, (await api.get(f"{LOOK_UP}/{code['code']}")).is_success


async def test_hides_a_code_from_look_up_by_email(api, alice):
    code = await make_code(alice)

    answer = await alice.patch(f"{PATH}/{code['code']}", {"discoverable": False})

    assert answer.status_code == 200
    assert answer.json() == code | {"discoverable": False}
    assert await found(api, alice, code) == (False, True)


async def test_shows_a_hidden_code(api, alice):
    code = await make_code(alice, discoverable=False)

    answer = await alice.patch(f"{PATH}/{code['code']}", {"discoverable": True})

    assert answer.json()["discoverable"] is True
    assert await found(api, alice, code) == (True, True)


async def test_an_unchanged_value_is_accepted(alice):
    code = await make_code(alice)

    answer = await alice.patch(f"{PATH}/{code['code']}", {"discoverable": True})

    assert (answer.status_code, answer.json()) == (200, code)


async def test_the_code_is_normalised(alice):
    await make_code(alice, code="OLIVIA-2030")

    answer = await alice.patch(f"{PATH}/o1ivia%202o3o", {"discoverable": False})

    assert answer.json()["code"] == "OLIVIA-2030"


async def test_a_retired_code_stays_retired(api, alice):
    old = await make_code(alice, discoverable=False)
    new = await make_code(alice, active=False)
    await alice.post(f"{PATH}/{new['code']}/activate", {"replace": True})
    await alice.delete(f"{PATH}/{new['code']}")

    answer = await alice.patch(f"{PATH}/{old['code']}", {"discoverable": True})

    assert (answer.status_code, answer.json()["status"]) == (200, "retired")
    assert await found(api, alice, old) == (False, False)


@pytest.mark.parametrize(
    "body",
    [{}, {"discoverable": None}, {"discoverable": "true"}, {"discoverable": 1}, {"discoverable": []}]
    + [{"discoverable": False, field: 1} for field in ("uses", "max_uses", "expires_at", "owner_id", "code")],
)
async def test_rejects_an_invalid_body(alice, body):
    code = await make_code(alice)

    answer = await alice.patch(f"{PATH}/{code['code']}", body)

    assert answer.status_code == 422
    assert (await alice.get(f"{PATH}/{code['code']}")).json() == code


async def test_another_owners_code_is_not_found(alice, mallory):
    code = await make_code(alice)

    answer = await mallory.patch(f"{PATH}/{code['code']}", {"discoverable": False})

    assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")
    assert (await alice.get(f"{PATH}/{code['code']}")).json() == code


async def test_a_deleted_code_is_not_found(alice):
    code = await make_code(alice)
    await alice.delete(f"{PATH}/{code['code']}")

    answer = await alice.patch(f"{PATH}/{code['code']}", {"discoverable": False})

    assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")


async def test_requires_authentication(api, alice):
    code = await make_code(alice)

    answer = await api.patch(f"{PATH}/{code['code']}", json={"discoverable": False})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_concurrent_updates_are_serialised(alice):
    code = await make_code(alice)

    answers = await at_once(
        lambda turn: alice.patch(f"{PATH}/{code['code']}", {"discoverable": turn % 2 == 0}), range(30)
    )

    assert [answer.json()["discoverable"] for answer in answers] == [turn % 2 == 0 for turn in range(30)]
