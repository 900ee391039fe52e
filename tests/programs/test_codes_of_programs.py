"""Each owner has at most one active code in each program."""

import asyncio
from collections import Counter

import pytest

from concurrency import at_once
from goodword.codes.service import ActiveCodeExists
from other_programs import change_program, make_code_in, make_program
from people import make_code

CODES = "/api/v1/me/referral-codes"
FIND = "/api/v1/referral-codes"


async def statuses(owner):
    return {one["code"]: one["status"] for one in (await owner.get(CODES)).json()["items"]}


async def test_a_code_is_active_beside_one_of_another_program(api, alice):
    acme = await make_program(api)
    await make_code(alice, code="HERE-1")
    await make_code_in(alice, acme, code="THERE-1")

    assert await statuses(alice) == {"HERE-1": "active", "THERE-1": "active"}
    for code in ("HERE-1", "THERE-1"):
        assert (await api.get(f"{FIND}/{code}")).json()["code"] == code
    with pytest.raises(ActiveCodeExists):
        await make_code_in(alice, acme)
    assert (await alice.post(CODES, {"lifetime": 3600})).json()["code"] == "active_code_exists"


async def test_25_creations_at_once_make_one_active_code_in_each_program(api, alice, rows):
    acme = await make_program(api)

    async def create_there(_):
        try:
            return await make_code_in(alice, acme)
        except ActiveCodeExists:
            return None

    answers, *there = await asyncio.gather(
        at_once(lambda _: alice.post(CODES, {"lifetime": 3600}), range(25)),
        *(create_there(n) for n in range(25)),
    )

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 24}
    assert sum(code is not None for code in there) == 1
    active = "SELECT count(*) FROM referral_codes WHERE retired_at IS NULL GROUP BY program_id"
    assert await rows(active) == [(1,), (1,)]


async def test_an_activation_retires_the_code_of_its_program_alone(api, alice):
    acme = await make_program(api)
    await make_code(alice, code="HERE-1")
    await make_code_in(alice, acme, code="THERE-1")
    await make_code_in(alice, acme, code="THERE-2", active=False)
    path = f"{CODES}/THERE-2/activate"

    assert (await alice.post(path, None)).json()["code"] == "active_code_exists"
    assert (await alice.post(path, {"replace": True})).status_code == 200

    assert await statuses(alice) == {"HERE-1": "active", "THERE-1": "retired", "THERE-2": "active"}


async def test_a_prepared_code_is_activated_beside_one_of_another_program(api, alice):
    await make_code(alice, code="HERE-1")
    await make_code_in(alice, await make_program(api), code="THERE-1", active=False)

    assert (await alice.post(f"{CODES}/THERE-1/activate", None)).status_code == 200

    assert await statuses(alice) == {"HERE-1": "active", "THERE-1": "active"}


async def test_an_expired_code_makes_room_in_its_program_alone(api, alice, clock):
    acme = await make_program(api)
    await make_code(alice, code="HERE-1", lifetime=60)
    await make_code_in(alice, acme, code="THERE-1", lifetime=60)
    clock.forward(minutes=2)

    await make_code_in(alice, acme, code="THERE-2")

    assert await statuses(alice) == {"HERE-1": "expired", "THERE-1": "retired", "THERE-2": "active"}


async def test_the_address_finds_the_code_of_the_default_program_first(api, alice):
    acme = await make_program(api)
    await make_code_in(alice, acme, code="THERE-1")
    by_email = {"params": {"email": alice.email}}
    assert (await api.get(f"{FIND}/by-email", **by_email)).json()["code"] == "THERE-1"

    await make_code(alice, code="HERE-1")
    assert (await api.get(f"{FIND}/by-email", **by_email)).json()["code"] == "HERE-1"

    await change_program(api, status="paused")
    assert (await api.get(f"{FIND}/by-email", **by_email)).json()["code"] == "THERE-1"


async def test_a_new_name_is_seen_with_all_codes_of_the_owner(api, alice):
    await make_code(alice, code="HERE-1")
    await make_code_in(alice, await make_program(api), code="THERE-1")
    for code in ("HERE-1", "THERE-1"):
        assert (await api.get(f"{FIND}/{code}")).json()["referrer"]["display_name"] == "Alice L."

    await alice.patch("/api/v1/me", {"first_name": "Lewis", "last_name": None})

    for code in ("HERE-1", "THERE-1"):
        assert (await api.get(f"{FIND}/{code}")).json()["referrer"]["display_name"] == "Lewis", code
