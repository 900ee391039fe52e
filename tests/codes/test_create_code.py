"""POST /api/v1/me/referral-codes: who may, and what comes of it.

The term, the chosen string, and `Idempotency-Key` have files of their own.
"""

import re
from collections import Counter

import pytest

from concurrency import at_once
from people import join, make_code, register

PATH = "/api/v1/me/referral-codes"


async def shelf(owner):
    """Their codes, by state."""
    answer = await owner.get(PATH)
    return Counter(code["status"] for code in answer.json()["items"])


async def test_it_makes_a_code_with_a_term(alice, clock):
    answer = await alice.post(PATH, {"lifetime": 3600})

    assert answer.status_code == 201
    code = answer.json()
    assert answer.headers["location"] == f"{PATH}/{code['code']}"
    assert code["status"] == "active"
    assert code["link"] == f"http://127.0.0.1:8000/r/{code['code']}"
    assert code["uses"] == 0
    assert code["discoverable"] is True


async def test_it_answers_what_it_then_shows(alice):
    made = await make_code(alice, max_uses=7, discoverable=False)

    shown = await alice.get(f"{PATH}/{made['code']}")

    assert shown.json() == made
    assert (made["max_uses"], made["discoverable"], made["retired_at"]) == (7, False, None)
    assert made["activated_at"] == made["created_at"]


async def test_it_draws_ten_letters_and_digits_that_look_like_no_others(alice):
    code = await make_code(alice)

    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{10}", code["code"])


async def test_it_wants_to_know_who_is_calling(api, rows):
    answer = await api.post(PATH, json={"lifetime": 3600})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert await rows("SELECT count(*) FROM referral_codes") == [(0,)]


async def test_it_is_its_makers_alone(alice, mallory):
    await make_code(alice)

    assert await shelf(alice) == {"active": 1}
    assert await shelf(mallory) == {}


async def test_it_refuses_a_second_active_one(alice):
    first = await make_code(alice)

    answer = await alice.post(PATH, {"lifetime": 3600})

    assert (answer.status_code, answer.json()["code"]) == (409, "active_code_exists")
    assert (await alice.get(PATH)).json()["items"] == [first]


async def test_each_person_can_have_one(alice, bob, mallory):
    for person in (alice, bob, mallory):
        await make_code(person)

    assert await shelf(alice) == await shelf(bob) == await shelf(mallory) == {"active": 1}


async def test_fifty_at_once_make_one(alice, rows):
    for turn in range(3):  # the first time the database's connections are still opening, one after another
        answers = await at_once(lambda _: alice.post(PATH, {"lifetime": 3600}), range(50))

        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 49}
        assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {
            "active_code_exists"
        }
        assert await rows("SELECT count(*) FROM referral_codes") == [(turn + 1,)]
        (made,) = (await alice.get(PATH)).json()["items"]
        await alice.delete(f"{PATH}/{made['code']}")


async def test_it_can_be_made_after_the_last_one_expired(alice, clock):
    first = await make_code(alice, lifetime=60)
    clock.forward(seconds=61)
    await alice.sign_in()

    second = await make_code(alice)

    assert second["status"] == "active"
    shown = await alice.get(f"{PATH}/{first['code']}")
    assert shown.json()["status"] == "retired"


async def test_it_can_be_made_after_the_last_one_was_used_up(api, alice):
    first = await make_code(alice, max_uses=1)
    await join(api, "bob", referral_code=first["code"])

    second = await make_code(alice)

    assert second["status"] == "active"
    shown = await alice.get(f"{PATH}/{first['code']}")
    assert (shown.json()["status"], shown.json()["uses"]) == ("retired", 1)


async def test_it_can_be_made_after_the_last_one_was_deleted(alice):
    first = await make_code(alice)
    await alice.delete(f"{PATH}/{first['code']}")

    second = await make_code(alice)

    assert second["status"] == "active"
    assert second["code"] != first["code"]


async def test_it_is_prepared_for_later(alice):
    code = await make_code(alice, active=False)

    assert code["status"] == "prepared"
    assert code["activated_at"] is None


async def test_several_are_prepared_beside_the_active_one(alice):
    for active in (False, True, False, False):
        await make_code(alice, active=active)

    assert await shelf(alice) == {"prepared": 3, "active": 1}


async def test_a_prepared_one_lets_nobody_join(api, alice):
    code = await make_code(alice, active=False)

    answer = await register(api, "bob", referral_code=code["code"])

    assert (answer.status_code, answer.json()["code"]) == (422, "code_not_usable")


@pytest.mark.parametrize("uses", [1, 1_000_000])
async def test_it_takes_a_number_of_uses(alice, uses):
    code = await make_code(alice, max_uses=uses)

    assert code["max_uses"] == uses


@pytest.mark.parametrize("uses", [0, -1, 1_000_001, 2**31, 10**400])
async def test_it_refuses_a_number_of_uses_out_of_bounds(alice, uses):
    answer = await alice.post(PATH, {"lifetime": 3600, "max_uses": uses})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body.max_uses"]
    assert await shelf(alice) == {}


NO_NUMBERS = ["60", True, 60.0, 60.5, [60], {}]


@pytest.mark.parametrize("field", ["lifetime", "max_uses"])
async def test_it_takes_nothing_else_for_a_number(alice, field):
    for value in NO_NUMBERS:
        answer = await alice.post(PATH, {"lifetime": 3600, field: value})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}"]


NEITHER_YES_NOR_NO = ["true", "", 1, 0, None, []]


@pytest.mark.parametrize("field", ["active", "discoverable"])
async def test_it_takes_nothing_else_for_a_yes_or_no(alice, field):
    for value in NEITHER_YES_NOR_NO:
        answer = await alice.post(PATH, {"lifetime": 3600, field: value})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}"]


@pytest.mark.parametrize("field", ["owner_id", "id", "uses", "status", "created_at", "is_admin", "Lifetime"])
async def test_it_refuses_what_it_does_not_know(alice, field):
    answer = await alice.post(PATH, {"lifetime": 3600, field: "x"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == f"body.{field}"
    assert await shelf(alice) == {}


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "60", '{"lifetime": 60', '{"lifetime": NaN}', '{"lifetime": 60, "lifetime": 61}'],
)
async def test_it_refuses_what_is_no_json_object(alice, body):
    answer = await alice.call("POST", PATH, content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


async def test_it_never_repeats_what_was_sent(alice):
    sent = "<b>canary</b>"
    answer = await alice.post(
        PATH, {"expires_at": sent, "lifetime": sent, "code": sent, "max_uses": sent, sent: sent}
    )

    assert answer.status_code == 422
    assert "canary" not in answer.text
