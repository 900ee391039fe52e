"""Many sign-ups with one code within an hour: flagged, then held until a review, never lost."""

from uuid import UUID

import pytest

from concurrency import at_once
from goodword.referrals import service as referrals
from participants.conftest import Server
from people import join, make_code, referrals_of, register
from second_service import second_service
from server_keys import make_key

LIMITS = {"risk_sign_ups_per_hour": 2, "risk_held_sign_ups_per_hour": 4}
SCOPES = ("participants:read", "participants:write")


@pytest.fixture
async def strict(database_url, api, clock):
    """Yield a client of a service with low thresholds."""
    async with second_service(database_url, clock=clock, **LIMITS) as client:
        yield client


async def statuses(owner):
    return sorted(one["status"] for one in await referrals_of(owner))


async def test_e79_sign_ups_above_a_number_an_hour_are_flagged_and_then_held(strict, alice, signals):
    code = (await make_code(alice))["code"]
    for number in range(6):
        assert (await register(strict, f"friend-{number}", referral_code=code)).status_code == 201

    assert await statuses(alice) == ["confirmed"] * 4 + ["held"] * 2
    assert await signals() == {
        "friend-2": {"velocity": "medium"},
        "friend-3": {"velocity": "medium"},
        "friend-4": {"velocity": "high"},
        "friend-5": {"velocity": "high"},
    }


async def test_e79_the_number_is_exact_for_parallel_sign_ups(strict, alice):
    code = (await make_code(alice))["code"]

    answers = await at_once(lambda name: register(strict, name, referral_code=code), "abcdefghijkl")

    assert {answer.status_code for answer in answers} == {201}
    assert await statuses(alice) == ["confirmed"] * 4 + ["held"] * 8


async def test_e79_a_batch_counts_its_own_items(strict, app, signals):
    acme = Server(strict, await make_key(app, SCOPES))
    code = (await acme.report("alice"))["code"]["code"]

    answer = await acme.batch(
        *({"external_id": f"friend-{number}", "referral_code": code} for number in range(6))
    )

    made = [item["participant"]["referral"] for item in answer.json()["items"]]
    assert [one["status"] for one in made] == ["confirmed"] * 4 + ["held"] * 2
    assert [one["confirmed_at"] is None for one in made] == [False] * 4 + [True] * 2
    assert set(await signals()) == {f"friend-{number}" for number in range(2, 6)}


async def test_e79_a_held_referral_is_released_with_its_original_time(strict, alice, clock):
    code = (await make_code(alice))["code"]
    for number in range(5):
        await register(strict, f"friend-{number}", referral_code=code)
    (held,) = await referrals_of(alice, status="held")
    clock.forward(days=2)
    await alice.start_session()

    services = strict.app.state.services
    async with services.database.transaction() as session:
        await referrals.accept(session, services, UUID(held["id"]), now=services.clock())

    (released,) = [one for one in await referrals_of(alice) if one["id"] == held["id"]]
    assert (released["status"], released["confirmed_at"]) == ("confirmed", held["created_at"])


async def test_sign_ups_count_for_an_hour(strict, alice, clock):
    code = (await make_code(alice, lifetime=86400))["code"]
    for number in range(4):
        await register(strict, f"friend-{number}", referral_code=code)
    clock.forward(minutes=61)
    await alice.start_session()
    await register(strict, "late", referral_code=code)

    assert await statuses(alice) == ["confirmed"] * 5


async def test_by_default_more_than_twenty_are_flagged(api, alice, signals):
    code = (await make_code(alice))["code"]
    for number in range(21):
        await join(api, f"friend-{number}", referral_code=code)

    assert await signals() == {"friend-20": {"velocity": "medium"}}
    assert await statuses(alice) == ["confirmed"] * 21


async def test_the_default_that_holds_is_tenfold(app):
    settings = app.state.services.settings

    assert settings.risk_held_sign_ups_per_hour == 10 * settings.risk_sign_ups_per_hour == 200
