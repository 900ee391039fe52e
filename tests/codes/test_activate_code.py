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


IN_FORCE = "SELECT count(*) FROM referral_codes WHERE activated_at IS NOT NULL AND retired_at IS NULL"


async def test_it_puts_a_prepared_active_code_exists(api, alice):
    code = await make_code(alice, active=False)

    answer = await activate(alice, code)

    assert answer.status_code == 200
    shown = answer.json()
    assert shown == code | {"status": "active", "activated_at": shown["activated_at"]}
    assert shown["activated_at"] > shown["created_at"]
    assert (await register(api, "bob", referral_code=code["code"])).status_code == 201


async def test_it_leaves_an_active_one_as_it_is(alice):
    code = await make_code(alice)

    for body in ({}, {"replace": True}, {"replace": False}):
        answer = await activate(alice, code, **body)
        assert (answer.status_code, answer.json()) == (200, code)


@pytest.mark.parametrize("body", [{}, {"replace": False}])
async def test_it_does_not_push_another_out(alice, body):
    current, code = await make_code(alice), await make_code(alice, active=False)

    answer = await activate(alice, code, **body)

    assert (answer.status_code, answer.json()["code"]) == (409, "active_code_exists")
    assert (await status(alice, current), await status(alice, code)) == ("active", "prepared")


async def test_it_replaces_another_when_told_to(alice):
    current, code = await make_code(alice), await make_code(alice, active=False)

    answer = await activate(alice, code, replace=True)

    assert (answer.status_code, answer.json()["status"]) == (200, "active")
    replaced = (await alice.get(f"{PATH}/{current['code']}")).json()
    assert (replaced["status"], replaced["retired_at"]) == ("retired", answer.json()["activated_at"])


async def test_it_replaces_nothing_of_others(alice, mallory):
    hers, theirs = await make_code(alice), await make_code(mallory, active=False)

    answer = await activate(mallory, theirs, replace=True)

    assert answer.status_code == 200
    assert await status(alice, hers) == "active"


async def test_it_takes_the_place_of_one_past_its_term(alice, clock):
    old, code = await make_code(alice, lifetime=60), await make_code(alice, active=False)
    clock.forward(seconds=60)

    answer = await activate(alice, code)

    assert answer.status_code == 200
    assert await status(alice, old) == "retired"


async def test_it_takes_the_place_of_one_used_up(api, alice):
    old, code = await make_code(alice, max_uses=1), await make_code(alice, active=False)
    await join(api, "bob", referral_code=old["code"])

    answer = await activate(alice, code)

    assert answer.status_code == 200
    assert await status(alice, old) == "retired"


@pytest.mark.parametrize("active", [True, False])
async def test_it_does_not_prolong_a_term(alice, clock, active):
    code = await make_code(alice, lifetime=60, active=active)
    clock.forward(seconds=60)

    answer = await activate(alice, code, replace=True)

    assert (answer.status_code, answer.json()["code"]) == (409, "code_expired")


async def test_a_refusal_replaces_nothing(alice, clock):
    current, old = await make_code(alice), await make_code(alice, active=False, lifetime=60)
    clock.forward(seconds=60)

    await activate(alice, old, replace=True)

    assert await status(alice, current) == "active"


async def test_it_does_not_revive_a_retired_one(alice):
    old, new = await make_code(alice), await make_code(alice, active=False)
    await activate(alice, new, replace=True)

    answer = await activate(alice, old, replace=True)

    assert (answer.status_code, answer.json()["code"]) == (409, "code_retired")
    assert await status(alice, new) == "active"


async def test_it_does_not_find_a_deleted_one(alice):
    code = await make_code(alice, active=False)
    await alice.delete(f"{PATH}/{code['code']}")

    answer = await activate(alice, code)

    assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")


async def test_it_does_not_find_those_of_others(alice, mallory):
    code = await make_code(alice, active=False)

    answer = await activate(mallory, code, replace=True)

    assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")
    assert await status(alice, code) == "prepared"


async def test_it_finds_the_code_in_any_spelling(alice):
    await make_code(alice, code="OLIVIA-2030", active=False)

    answer = await activate(alice, {"code": "%20o1ivia-2o3o"})

    assert (answer.status_code, answer.json()["code"]) == (200, "OLIVIA-2030")


async def test_it_wants_to_know_who_is_calling(api, alice):
    code = await make_code(alice, active=False)

    answer = await api.post(f"{PATH}/{code['code']}/activate", json={})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "body", [{"replace": "true"}, {"replace": 1}, {"replace": None}, {"active": True}, {"owner_id": "x"}]
)
async def test_it_takes_nothing_else(alice, body):
    code = await make_code(alice, active=False)

    answer = await activate(alice, code, **body)

    assert answer.status_code == 422
    assert await status(alice, code) == "prepared"


async def test_one_of_many_at_once_is_in_force(alice, rows):
    codes = [await make_code(alice, active=False) for _ in range(20)]

    answers = await at_once(lambda code: activate(alice, code), codes)

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 19}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {
        "active_code_exists"
    }
    assert await rows(IN_FORCE) == [(1,)]


async def test_fifty_that_replace_each_other_leave_one(alice, rows):
    codes = [await make_code(alice, active=False) for _ in range(50)]

    answers = await at_once(lambda code: activate(alice, code, replace=True), codes)

    assert {answer.status_code for answer in answers} == {200}
    states = Counter([await status(alice, code) for code in codes])
    assert states == {"active": 1, "retired": 49}
    assert await rows(IN_FORCE) == [(1,)]


async def test_activations_and_deletes_at_once_agree(alice, rows):
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
    in_force = list(listed.values()).count("active")
    assert in_force <= 1
    assert await rows(IN_FORCE) == [(in_force,)]


async def test_it_needs_no_body(alice):
    code = await make_code(alice, active=False)

    answer = await alice.call("POST", f"{PATH}/{code['code']}/activate")

    assert (answer.status_code, answer.json()["status"]) == (200, "active")


async def test_a_body_that_comes_is_read(alice):
    code = await make_code(alice, active=False)
    path = f"{PATH}/{code['code']}/activate"

    plain = await alice.call("POST", path, content="replace", headers={"Content-Type": "text/plain"})
    broken = await alice.call("POST", path, content="{", headers={"Content-Type": "application/json"})

    assert (plain.status_code, broken.status_code) == (415, 400)
