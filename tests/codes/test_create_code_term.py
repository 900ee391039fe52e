"""POST /api/v1/me/referral-codes: there is no code without a term of validity."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from people import make_code
from second_service import StoppedClock, second_service

pytestmark = pytest.mark.one_database

PATH = "/api/v1/me/referral-codes"
NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
DAY = 86_400


@pytest.fixture
async def alice_at_noon(alice, database_url):
    """Alice, for whom time stands still: it is `NOW`."""
    async with second_service(database_url, clock=StoppedClock(NOW)) as api:
        person = replace(alice, api=api)
        await person.sign_in()
        yield person


def after(seconds):
    return (NOW + timedelta(seconds=seconds)).isoformat()


async def refusal(person, **body):
    """The one reason why there is no such code."""
    answer = await person.post(PATH, body)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert (await person.get(PATH)).json()["items"] == []
    return error["field"], error["code"]


@pytest.mark.parametrize(
    "body", [{}, {"expires_at": None}, {"lifetime": None}, {"expires_at": None, "lifetime": None}]
)
async def test_it_is_never_without_one(alice, body):
    assert await refusal(alice, **body) == ("body", "term_missing")


async def test_it_has_only_one(alice_at_noon):
    reason = await refusal(alice_at_noon, expires_at=after(3600), lifetime=3600)

    assert reason == ("body", "term_ambiguous")


async def test_it_ignores_the_empty_one_of_two(alice_at_noon):
    code = await make_code(alice_at_noon, expires_at=None, lifetime=3600)

    assert code["expires_at"] == "2030-01-31T13:00:00Z"


@pytest.mark.parametrize("seconds", [60, 61, 366 * DAY])
async def test_it_ends_after_its_lifetime(alice_at_noon, seconds):
    code = await make_code(alice_at_noon, lifetime=seconds)

    assert datetime.fromisoformat(code["created_at"]) == NOW
    assert datetime.fromisoformat(code["expires_at"]) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("seconds", [59, 0, -1, -(10**14)])
async def test_its_lifetime_has_a_lower_bound(alice, seconds):
    assert await refusal(alice, lifetime=seconds) == ("body.lifetime", "term_too_short")


@pytest.mark.parametrize("seconds", [366 * DAY + 1, 367 * DAY, 10**14, 10**400])
async def test_its_lifetime_has_an_upper_bound(alice, seconds):
    assert await refusal(alice, lifetime=seconds) == ("body.lifetime", "term_too_long")


@pytest.mark.parametrize("seconds", [60, 61, 366 * DAY])
async def test_it_ends_when_it_was_said_to(alice_at_noon, seconds):
    code = await make_code(alice_at_noon, expires_at=after(seconds))

    assert datetime.fromisoformat(code["expires_at"]) == NOW + timedelta(seconds=seconds)


async def test_sixty_seconds_that_took_a_moment_to_arrive_are_sixty(alice_at_noon):
    code = await make_code(alice_at_noon, expires_at=after(59.2))

    assert code["expires_at"] == "2030-01-31T12:00:59.200000Z"


@pytest.mark.parametrize("seconds", [59, 0, -1, -DAY])
async def test_its_end_is_not_past_or_near(alice_at_noon, seconds):
    reason = await refusal(alice_at_noon, expires_at=after(seconds))

    assert reason == ("body.expires_at", "term_too_short")


@pytest.mark.parametrize(
    "end",
    [after(366 * DAY + 1), after(367 * DAY), "9999-12-31T23:59:59.999999Z", "9999-12-31T00:00:00+14:00"],
)
async def test_its_end_is_not_too_far(alice_at_noon, end):
    assert await refusal(alice_at_noon, expires_at=end) == ("body.expires_at", "term_too_long")


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        ("2030-01-31T15:30:00+02:00", "2030-01-31T13:30:00Z"),
        ("2030-01-31T15:30:00-00:30", "2030-01-31T16:00:00Z"),
        ("2030-01-31t15:30:00z", "2030-01-31T15:30:00Z"),
        ("2030-01-31 15:30:00.25Z", "2030-01-31T15:30:00.250000Z"),
        ("2030-01-31T15:30:00.123456789Z", "2030-01-31T15:30:00.123456Z"),
    ],
)
async def test_it_takes_any_offset_and_shows_utc(alice_at_noon, end, shown):
    code = await make_code(alice_at_noon, expires_at=end)

    assert code["expires_at"] == shown


NO_TIMES = [
    "2030-01-31T15:30:00", "2030-01-31", "2030-01-31T15:30Z", "2030-01-31T15:30:00+0200",
    "2030-01-31T15:30:00 Z", " 2030-01-31T15:30:00Z", "2030-01-31T15:30:00Z\n", "20300131T153000Z",
    "2030-W05-4T15:30:00Z", "31.01.2030 15:30", "２０３０-01-31T15:30:00Z", "2030-02-30T15:30:00Z",
    "2030-01-31T24:00:00Z", "2030-01-31T15:30:60Z", "2030-01-31T15:30:00+24:00",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "tomorrow", "", 1_896_103_800,
    1_896_103_800.5, 10**14, True, [], {},
]  # fmt: skip


async def test_it_takes_no_other_form_of_time(alice):
    for end in NO_TIMES:
        assert await refusal(alice, expires_at=end) == ("body.expires_at", "time_invalid"), end
