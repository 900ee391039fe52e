"""POST /api/v1/me/referral-codes/{code}/activate"""

import asyncio
from collections import Counter

import pytest

from concurrency import at_once
from people import join, make_code, register

PATH = "/api/v1/me/referral-codes"


async def activate(person, code, **body):
    return await person.post(f"{PATH}/{code['code']}/activate", body)


async def status(owner, code):
    return (await owner.get(f"{PATH}/{code['code']}")).json()["status"]


ACTIVE_COUNT = "SELECT count(*) FROM referral_codes WHERE activated_at IS NOT NULL AND retired_at IS NULL"


async def test_activates_a_prepared_code(api, alice):
    code = await make_code(alice, active=False)

    answer = await activate(alice, code)

    assert answer.status_code == 200
    shown = answer.json()
    assert shown == code | {"status": "active", "activated_at": shown["activated_at"]}
    assert shown["activated_at"] > shown["created_at"]
    assert (await register(api, "bob", referral_code=code["code"])).status_code == 201


async def test_an_active_code_is_unchanged(alice):
    code = await make_code(alice)

    for body in ({}, {"replace": True}, {"replace": False}):
        answer = await activate(alice, code, **body)
        assert (answer.status_code, answer.json()) == (200, code)


@pytest.mark.parametrize("body", [{}, {"replace": False}])
async def test_refused_while_another_code_is_active(alice, body):
    current, code = await make_code(alice), await make_code(alice, active=False)

    answer = await activate(alice, code, **body)

    assert (answer.status_code, answer.json()["code"]) == (409, "active_code_exists")
    assert (await status(alice, current), await status(alice, code)) == ("active", "prepared")


async def test_replace_retires_the_active_code(alice):
    current, code = await make_code(alice), await make_code(alice, active=False)

    answer = await activate(alice, code, replace=True)

    assert (answer.status_code, answer.json()["status"]) == (200, "active")
    replaced = (await alice.get(f"{PATH}/{current['code']}")).json()
    assert (replaced["status"], replaced["retired_at"]) == ("retired", answer.json()["activated_at"])


async def test_replace_leaves_other_owners_codes_alone(alice, mallory):
    hers, theirs = await make_code(alice), await make_code(mallory, active=False)

    answer = await activate(mallory, theirs, replace=True)

    assert answer.status_code == 200
    assert await status(alice, hers) == "active"


async def test_an_expired_active_code_is_retired(alice, clock):
    old, code = await make_code(alice, lifetime=60), await make_code(alice, active=False)
    clock.forward(seconds=60)

    answer = await activate(alice, code)

    assert answer.status_code == 200
    assert await status(alice, old) == "retired"


async def test_a_used_up_active_code_is_retired(api, alice):
    old, code = await make_code(alice, max_uses=1), await make_code(alice, active=False)
    await join(api, "bob", referral_code=old["code"])

    answer = await activate(alice, code)

    assert answer.status_code == 200
    assert await status(alice, old) == "retired"


@pytest.mark.parametrize("active", [True, False])
async def test_an_expired_code_cannot_be_activated(alice, clock, active):
    code = await make_code(alice, lifetime=60, active=active)
    clock.forward(seconds=60)

    answer = await activate(alice, code, replace=True)

    assert (answer.status_code, answer.json()["code"]) == (409, "code_expired")


async def test_a_refused_replacement_retires_nothing(alice, clock):
    current, old = await make_code(alice), await make_code(alice, active=False, lifetime=60)
    clock.forward(seconds=60)

    await activate(alice, old, replace=True)

    assert await status(alice, current) == "active"


async def test_a_retired_code_cannot_be_activated(alice):
    old, new = await make_code(alice), await make_code(alice, active=False)
    await activate(alice, new, replace=True)

    answer = await activate(alice, old, replace=True)

    assert (answer.status_code, answer.json()["code"]) == (409, "code_retired")
    assert await status(alice, new) == "active"


async def test_a_deleted_code_is_not_found(alice):
    code = await make_code(alice, active=False)
    await alice.delete(f"{PATH}/{code['code']}")

    answer = await activate(alice, code)

    assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")


async def test_another_owners_code_is_not_found(alice, mallory):
    code = await make_code(alice, active=False)

    answer = await activate(mallory, code, replace=True)

    assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")
    assert await status(alice, code) == "prepared"


@pytest.mark.one_database
async def test_the_code_is_normalised(alice):
    await make_code(alice, code="OLIVIA-2030", active=False)

    answer = await activate(alice, {"code": "%20o1ivia-2o3o"})

    assert (answer.status_code, answer.json()["code"]) == (200, "OLIVIA-2030")


@pytest.mark.one_database
async def test_requires_authentication(api, alice):
    code = await make_code(alice, active=False)

    answer = await api.post(f"{PATH}/{code['code']}/activate", json={})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="goodword"'


@pytest.mark.one_database
@pytest.mark.parametrize(
    "body", [{"replace": "true"}, {"replace": 1}, {"replace": None}, {"active": True}, {"owner_id": "x"}]
)
async def test_rejects_an_invalid_body(alice, body):
    code = await make_code(alice, active=False)

    answer = await activate(alice, code, **body)

    assert answer.status_code == 422
    assert await status(alice, code) == "prepared"


async def test_concurrent_activations_activate_one_code(alice, rows):
    codes = [await make_code(alice, active=False) for _ in range(20)]

    answers = await at_once(lambda code: activate(alice, code), codes)

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 19}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {
        "active_code_exists"
    }
    assert await rows(ACTIVE_COUNT) == [(1,)]


async def test_concurrent_replacements_leave_one_active_code(alice, rows):
    codes = [await make_code(alice, active=False) for _ in range(50)]

    answers = await at_once(lambda code: activate(alice, code, replace=True), codes)

    assert {answer.status_code for answer in answers} == {200}
    states = Counter([await status(alice, code) for code in codes])
    assert states == {"active": 1, "retired": 49}
    assert await rows(ACTIVE_COUNT) == [(1,)]


async def test_concurrent_activations_and_deletions_are_consistent(alice, rows):
    codes = [await make_code(alice, active=False) for _ in range(10)]
    kept, gone = codes[:5], codes[5:]

    activations, deletes = await asyncio.gather(
        at_once(lambda code: activate(alice, code, replace=True), codes * 5),
        at_once(lambda code: alice.delete(f"{PATH}/{code['code']}"), gone),
    )

    assert {answer.status_code for answer in deletes} == {204}
    refusals = {(a.status_code, a.json()["code"]) for a in activations if a.status_code != 200}
    assert refusals <= {(409, "code_retired"), (404, "code_not_found")}
    assert all(answer.json()["status"] == "active" for answer in activations if answer.status_code == 200)
    listed = {code["code"]: code["status"] for code in (await alice.get(PATH)).json()["items"]}
    assert set(listed) == {code["code"] for code in kept}
    activated = {answer.json()["code"] for answer in activations if answer.status_code == 200}
    assert {code for code, state in listed.items() if state != "prepared"} == activated & set(listed)
    active = list(listed.values()).count("active")
    assert active <= 1
    assert await rows(ACTIVE_COUNT) == [(active,)]


@pytest.mark.one_database
async def test_the_body_is_optional(alice):
    code = await make_code(alice, active=False)

    answer = await alice.call("POST", f"{PATH}/{code['code']}/activate")

    assert (answer.status_code, answer.json()["status"]) == (200, "active")


@pytest.mark.one_database
async def test_a_given_body_is_validated(alice):
    code = await make_code(alice, active=False)
    path = f"{PATH}/{code['code']}/activate"

    plain = await alice.call("POST", path, content="replace", headers={"Content-Type": "text/plain"})
    broken = await alice.call("POST", path, content="{", headers={"Content-Type": "application/json"})

    assert (plain.status_code, broken.status_code) == (415, 400)
