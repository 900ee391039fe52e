"""POST /api/v1/me/referral-codes. Other files test the term, chosen codes and `Idempotency-Key`."""

import re
from collections import Counter

import pytest

from concurrency import at_once
from goodword.db.statements import inserting_if_absent
from people import insert_codes, join, make_code, register

PATH = "/api/v1/me/referral-codes"


async def count_by_status(owner):
    answer = await owner.get(PATH)
    return Counter(code["status"] for code in answer.json()["items"])


async def test_creates_an_active_code(alice, clock):
    answer = await alice.post(PATH, {"lifetime": 3600})

    assert answer.status_code == 201
    code = answer.json()
    assert answer.headers["location"] == f"{PATH}/{code['code']}"
    assert code["status"] == "active"
    assert code["link"] == f"http://127.0.0.1:8000/r/{code['code']}"
    assert code["uses"] == 0
    assert code["discoverable"] is True


async def test_the_response_equals_a_later_read(alice):
    made = await make_code(alice, max_uses=7, discoverable=False)

    shown = await alice.get(f"{PATH}/{made['code']}")

    assert shown.json() == made
    assert (made["max_uses"], made["discoverable"], made["retired_at"]) == (7, False, None)
    assert made["activated_at"] == made["created_at"]


@pytest.mark.one_database
async def test_generates_ten_characters_of_the_alphabet(alice):
    code = await make_code(alice)

    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{10}", code["code"])


@pytest.mark.one_database
async def test_requires_authentication(api, rows):
    answer = await api.post(PATH, json={"lifetime": 3600})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="goodword"'
    assert await rows("SELECT count(*) FROM referral_codes") == [(0,)]


async def test_the_code_belongs_to_its_creator_only(alice, mallory):
    await make_code(alice)

    assert await count_by_status(alice) == {"active": 1}
    assert await count_by_status(mallory) == {}


async def test_a_second_active_code_is_refused(alice):
    first = await make_code(alice)

    answer = await alice.post(PATH, {"lifetime": 3600})

    assert (answer.status_code, answer.json()["code"]) == (409, "active_code_exists")
    assert (await alice.get(PATH)).json()["items"] == [first]


async def test_each_user_can_have_an_active_code(alice, bob, mallory):
    for person in (alice, bob, mallory):
        await make_code(person)

    assert (
        await count_by_status(alice)
        == await count_by_status(bob)
        == await count_by_status(mallory)
        == {"active": 1}
    )


async def test_concurrent_requests_create_one_code(alice, rows):
    for turn in range(3):  # in the first round the database connections are still being opened
        answers = await at_once(lambda _: alice.post(PATH, {"lifetime": 3600}), range(50))

        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 49}
        assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {
            "active_code_exists"
        }
        assert await rows("SELECT count(*) FROM referral_codes") == [(turn + 1,)]
        (made,) = (await alice.get(PATH)).json()["items"]
        await alice.delete(f"{PATH}/{made['code']}")


async def test_allowed_after_the_active_code_expired(alice, clock):
    first = await make_code(alice, lifetime=60)
    clock.forward(seconds=61)
    await alice.sign_in()

    second = await make_code(alice)

    assert second["status"] == "active"
    shown = await alice.get(f"{PATH}/{first['code']}")
    assert shown.json()["status"] == "retired"


async def test_allowed_after_the_active_code_was_used_up(api, alice):
    first = await make_code(alice, max_uses=1)
    await join(api, "bob", referral_code=first["code"])

    second = await make_code(alice)

    assert second["status"] == "active"
    shown = await alice.get(f"{PATH}/{first['code']}")
    assert (shown.json()["status"], shown.json()["uses"]) == ("retired", 1)


async def test_allowed_after_the_active_code_was_deleted(alice):
    first = await make_code(alice)
    await alice.delete(f"{PATH}/{first['code']}")

    second = await make_code(alice)

    assert second["status"] == "active"
    assert second["code"] != first["code"]


async def test_an_inactive_code_is_prepared(alice):
    code = await make_code(alice, active=False)

    assert code["status"] == "prepared"
    assert code["activated_at"] is None


async def test_several_codes_can_be_prepared(alice):
    for active in (False, True, False, False):
        await make_code(alice, active=active)

    assert await count_by_status(alice) == {"prepared": 3, "active": 1}


async def test_a_prepared_code_cannot_be_used(api, alice):
    code = await make_code(alice, active=False)

    answer = await register(api, "bob", referral_code=code["code"])

    assert (answer.status_code, answer.json()["code"]) == (422, "code_not_usable")


@pytest.mark.parametrize("uses", [1, 1_000_000])
async def test_accepts_max_uses(alice, uses):
    code = await make_code(alice, max_uses=uses)

    assert code["max_uses"] == uses


@pytest.mark.one_database
@pytest.mark.parametrize("uses", [0, -1, 1_000_001, 2**31, 10**400])
async def test_rejects_max_uses_out_of_range(alice, uses):
    answer = await alice.post(PATH, {"lifetime": 3600, "max_uses": uses})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body.max_uses"]
    assert await count_by_status(alice) == {}


NOT_INTEGERS = ["60", True, 60.0, 60.5, [60], {}]


@pytest.mark.one_database
@pytest.mark.parametrize("field", ["lifetime", "max_uses"])
async def test_rejects_non_integer_numbers(alice, field):
    for value in NOT_INTEGERS:
        answer = await alice.post(PATH, {"lifetime": 3600, field: value})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}"]


NOT_BOOLEANS = ["true", "", 1, 0, None, []]


@pytest.mark.one_database
@pytest.mark.parametrize("field", ["active", "discoverable"])
async def test_rejects_non_boolean_flags(alice, field):
    for value in NOT_BOOLEANS:
        answer = await alice.post(PATH, {"lifetime": 3600, field: value})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}"]


@pytest.mark.one_database
@pytest.mark.parametrize("field", ["owner_id", "id", "uses", "status", "created_at", "is_admin", "Lifetime"])
async def test_rejects_unknown_fields(alice, field):
    answer = await alice.post(PATH, {"lifetime": 3600, field: "x"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == f"body.{field}"
    assert await count_by_status(alice) == {}


@pytest.mark.one_database
@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "60", '{"lifetime": 60', '{"lifetime": NaN}', '{"lifetime": 60, "lifetime": 61}'],
)
async def test_rejects_malformed_json(alice, body):
    answer = await alice.call("POST", PATH, content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


@pytest.mark.one_database
async def test_errors_do_not_repeat_the_input(alice):
    sent = "<b>canary</b>"
    answer = await alice.post(
        PATH, {"expires_at": sent, "lifetime": sent, "code": sent, "max_uses": sent, sent: sent}
    )

    assert answer.status_code == 422
    assert "canary" not in answer.text


@pytest.mark.one_database
async def test_an_account_can_have_ten_thousand_codes(app, alice, bob):
    await insert_codes(app, alice, 9_999)

    assert (await alice.post(PATH, {"lifetime": 3600, "active": False})).status_code == 201
    answer = await alice.post(PATH, {"lifetime": 3600, "active": False})

    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_codes")
    assert (await bob.post(PATH, {"lifetime": 3600})).status_code == 201


async def test_statements_are_built_once(alice):
    """Otherwise each code that is created would leave one in memory."""
    await make_code(alice, active=False)
    before = inserting_if_absent.cache_info().currsize

    await make_code(alice, active=False)

    assert inserting_if_absent.cache_info().currsize == before
