"""PATCH /api/v1/me/referral-codes/{code}"""

import json
from datetime import datetime, timedelta

import pytest

from concurrency import at_once
from people import make_code, register

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


@pytest.mark.one_database
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


@pytest.mark.one_database
@pytest.mark.parametrize(
    "body",
    [{"discoverable": None}, {"discoverable": "true"}, {"discoverable": 1}, {"discoverable": []}]
    + [{"discoverable": False, field: 1} for field in ("uses", "expires_at", "owner_id", "code", "status")]
    + [{"lifetime": term} for term in (None, 59, 31_622_401, "600", 10**14)]
    + [{"expires_at": time} for time in (None, "2020-01-01T00:00:00Z", "9999-01-01T00:00:00Z", "2030-01-31")]
    + [{"lifetime": 600, "expires_at": "2030-01-31T12:00:00Z"}, {"max_uses": 0}, {"max_uses": "5"}],
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


@pytest.mark.one_database
async def test_requires_authentication(api, alice):
    code = await make_code(alice)

    answer = await api.patch(f"{PATH}/{code['code']}", json={"discoverable": False})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="goodword"'


async def test_concurrent_updates_are_serialised(alice):
    code = await make_code(alice)

    answers = await at_once(
        lambda turn: alice.patch(f"{PATH}/{code['code']}", {"discoverable": turn % 2 == 0}), range(30)
    )

    assert [answer.json()["discoverable"] for answer in answers] == [turn % 2 == 0 for turn in range(30)]


async def test_extends_the_term_from_now(api, alice, clock):
    code = await make_code(alice, lifetime=3600)
    clock.forward(minutes=5)

    answer = await alice.patch(f"{PATH}/{code['code']}", {"lifetime": 7200})

    assert answer.status_code == 200, answer.text
    term = datetime.fromisoformat(answer.json()["expires_at"]) - clock()
    assert timedelta(seconds=7195) < term <= timedelta(seconds=7200)
    clock.forward(minutes=119)
    assert await found(api, alice, code) == (True, True)


async def test_shortens_the_term_to_a_time(api, alice, clock):
    code = await make_code(alice)
    assert await found(api, alice, code) == (True, True)
    end = (clock() + timedelta(seconds=90)).isoformat().replace("+00:00", "Z")

    answer = await alice.patch(f"{PATH}/{code['code']}", {"expires_at": end})

    assert answer.json()["expires_at"] == end
    clock.forward(seconds=91)
    assert await found(api, alice, code) == (False, False)


async def test_an_expired_code_comes_back(api, alice, clock):
    code = await make_code(alice, lifetime=60)
    clock.forward(seconds=61)
    assert await found(api, alice, code) == (False, False)

    answer = await alice.patch(f"{PATH}/{code['code']}", {"lifetime": 600})

    assert (answer.status_code, answer.json()["status"]) == (200, "active")
    assert await found(api, alice, code) == (True, True)


async def test_an_expired_code_that_was_replaced_stays_retired(api, alice, clock):
    old = await make_code(alice, lifetime=60)
    clock.forward(seconds=61)
    new = await make_code(alice)

    for change in ({"lifetime": 600}, {"max_uses": 5}):
        answer = await alice.patch(f"{PATH}/{old['code']}", change)
        assert (answer.status_code, answer.json()["code"]) == (409, "code_retired")

    assert await found(api, alice, old) == (True, False)
    assert await found(api, alice, new) == (True, True)


async def test_concurrent_extension_and_replacement_leave_one_active_code(alice, clock):
    old = await make_code(alice, lifetime=60)
    clock.forward(seconds=61)

    answers = await at_once(
        lambda turn: (
            alice.patch(f"{PATH}/{old['code']}", {"lifetime": 600})
            if turn % 2
            else alice.post(PATH, {"lifetime": 600})
        ),
        range(12),
    )

    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    assert len((await alice.get(PATH, params={"status": "active"})).json()["items"]) == 1


async def test_changes_the_number_of_uses(api, alice):
    code = await make_code(alice, max_uses=2)
    for name in ("bob", "carol"):
        assert (await register(api, name, referral_code=code["code"])).status_code == 201
    assert await found(api, alice, code) == (False, False)

    too_low = await alice.patch(f"{PATH}/{code['code']}", {"max_uses": 1})
    assert too_low.status_code == 422
    assert too_low.json()["errors"][0] | {"message": ""} == {
        "field": "body.max_uses",
        "code": "max_uses_too_low",
        "message": "",
    }
    for uses, usable in ((2, False), (3, True), (None, True)):
        answer = await alice.patch(f"{PATH}/{code['code']}", {"max_uses": uses})
        assert (answer.status_code, answer.json()["max_uses"]) == (200, uses)
        assert await found(api, alice, code) == (usable, usable)


async def test_a_change_is_audited(alice, rows):
    code = await make_code(alice)
    await alice.patch(f"{PATH}/{code['code']}", {"max_uses": 7, "discoverable": False})

    [(details,)] = await rows("SELECT details FROM audit_events WHERE action = 'code.changed'")
    assert json.loads(details) == {"max_uses": 7, "discoverable": False}
