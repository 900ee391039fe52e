"""While a program does not run, its codes are not found, and nobody joins with them."""

import asyncio
import time
from datetime import timedelta

import pytest

from other_programs import change_program, make_code_in, make_program
from people import make_code, register
from second_service import StoppedClock, second_service

FIND = "/api/v1/referral-codes"


async def look(api, owner, code):
    """Return the statuses of the look-ups by code and by address, and of the landing page."""
    answers = [
        await api.get(f"{FIND}/{code}"),
        await api.get(f"{FIND}/by-email", params={"email": owner.email}),
        await api.get(f"/r/{code}"),
    ]
    return [answer.status_code for answer in answers]


async def state(node):
    return (await node.app.state.services.programs.get()).status


@pytest.mark.parametrize("status", ["draft", "paused", "ended"])
async def test_its_codes_cannot_be_used_until_it_is_active_again(api, alice, status):
    code = (await make_code(alice))["code"]
    assert await look(api, alice, code) == [200, 200, 200]

    await change_program(api, status=status)
    assert await look(api, alice, code) == [404, 404, 404]
    assert (await api.get(f"{FIND}/{code}")).json()["code"] == "code_not_found"
    refused = await register(api, "bob", referral_code=code)
    assert (refused.status_code, refused.json()["code"]) == (422, "code_not_usable")

    await change_program(api, status="active")
    assert await look(api, alice, code) == [200, 200, 200]
    assert (await register(api, "bob", referral_code=code)).status_code == 201


async def test_the_codes_of_other_programs_can_be_used(api, alice, bob):
    here = (await make_code(alice))["code"]
    there = await make_code_in(bob, await make_program(api))

    await change_program(api, "acme", status="paused")

    assert await look(api, alice, here) == [200, 200, 200]
    assert await look(api, bob, there) == [404, 404, 404]


async def test_it_starts_and_ends_by_the_clock(api, alice, database_url, app):
    began = app.state.services.clock()
    code = (await make_code(alice))["code"]
    start, end = began + timedelta(minutes=5), began + timedelta(minutes=10)
    await change_program(api, starts_at=start.isoformat(), ends_at=end.isoformat())
    now = StoppedClock(began)
    second = timedelta(seconds=1)
    async with second_service(database_url, clock=now) as node:
        for moment, expected in (
            (began, 404),
            (start - second, 404),
            (start, 200),
            (end - second, 200),
            (end, 404),
        ):
            now.now = moment
            assert await look(node, alice, code) == [expected] * 3, moment


@pytest.mark.one_database
@pytest.mark.parametrize("shared", ["valkey", "none"])
async def test_a_change_is_seen_at_once_and_by_another_node_within_a_second(
    database_url, api, alice, shared, valkey_url
):
    url = valkey_url if shared == "valkey" else None
    code = (await make_code(alice))["code"]
    async with (
        second_service(database_url, redis_url=url, rate_limits="off") as here,
        second_service(database_url, redis_url=url, rate_limits="off") as there,
    ):
        for status, expected in (("paused", 404), ("active", 200)):
            before = [604 - expected] * 3
            assert await look(here, alice, code) == await look(there, alice, code) == before

            await change_program(here, status=status)
            changed_at = time.monotonic()

            assert await look(here, alice, code) == [expected] * 3
            assert await state(here) == status
            while (seen := await look(there, alice, code)) != [expected] * 3 or await state(there) != status:
                assert time.monotonic() < changed_at + 1, (status, seen)
                await asyncio.sleep(0.01)
