"""POST /api/v1/me/referral-codes: the term of a code."""

from datetime import UTC, datetime, timedelta

import pytest

from people import make_code
from second_service import stopped_at

pytestmark = pytest.mark.one_database

PATH = "/api/v1/me/referral-codes"
NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
DAY = 86_400


@pytest.fixture
async def alice_now(alice, database_url):
    """Return Alice on a service whose clock is stopped at `NOW`."""
    async with stopped_at(NOW, alice, database_url) as person:
        yield person


def after(seconds):
    return (NOW + timedelta(seconds=seconds)).isoformat()


async def refusal(person, **body):
    """Return the field and the code of the error."""
    answer = await person.post(PATH, body)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert (await person.get(PATH)).json()["items"] == []
    return error["field"], error["code"]


@pytest.mark.parametrize(
    "body", [{}, {"expires_at": None}, {"lifetime": None}, {"expires_at": None, "lifetime": None}]
)
async def test_a_term_is_required(alice, body):
    assert await refusal(alice, **body) == ("body", "term_missing")


async def test_both_forms_of_the_term_are_ambiguous(alice_now):
    reason = await refusal(alice_now, expires_at=after(3600), lifetime=3600)

    assert reason == ("body", "term_ambiguous")


async def test_null_is_ignored_beside_a_lifetime(alice_now):
    code = await make_code(alice_now, expires_at=None, lifetime=3600)

    assert code["expires_at"] == "2030-01-31T13:00:00Z"


@pytest.mark.parametrize("seconds", [60, 61, 366 * DAY])
async def test_expires_after_the_lifetime(alice_now, seconds):
    code = await make_code(alice_now, lifetime=seconds)

    assert datetime.fromisoformat(code["created_at"]) == NOW
    assert datetime.fromisoformat(code["expires_at"]) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("seconds", [59, 0, -1, -(10**14)])
async def test_rejects_a_lifetime_that_is_too_short(alice, seconds):
    assert await refusal(alice, lifetime=seconds) == ("body.lifetime", "term_too_short")


@pytest.mark.parametrize("seconds", [366 * DAY + 1, 367 * DAY, 10**14, 10**400])
async def test_rejects_a_lifetime_that_is_too_long(alice, seconds):
    assert await refusal(alice, lifetime=seconds) == ("body.lifetime", "term_too_long")


@pytest.mark.parametrize("seconds", [60, 61, 366 * DAY])
async def test_expires_at_the_given_time(alice_now, seconds):
    code = await make_code(alice_now, expires_at=after(seconds))

    assert datetime.fromisoformat(code["expires_at"]) == NOW + timedelta(seconds=seconds)


async def test_the_term_is_rounded_up_to_seconds(alice_now):
    code = await make_code(alice_now, expires_at=after(59.2))

    assert code["expires_at"] == "2030-01-31T12:00:59.200000Z"


@pytest.mark.parametrize("seconds", [59, 0, -1, -DAY])
async def test_rejects_a_time_that_is_past_or_too_near(alice_now, seconds):
    reason = await refusal(alice_now, expires_at=after(seconds))

    assert reason == ("body.expires_at", "term_too_short")


@pytest.mark.parametrize(
    "end",
    [after(366 * DAY + 1), after(367 * DAY), "9999-12-31T23:59:59.999999Z", "9999-12-31T00:00:00+14:00"],
)
async def test_rejects_a_time_that_is_too_far(alice_now, end):
    assert await refusal(alice_now, expires_at=end) == ("body.expires_at", "term_too_long")


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
async def test_converts_any_offset_to_utc(alice_now, end, shown):
    code = await make_code(alice_now, expires_at=end)

    assert code["expires_at"] == shown


INVALID_TIMES = [
    "2030-01-31T15:30:00", "2030-01-31", "2030-01-31T15:30Z", "2030-01-31T15:30:00+0200",
    "2030-01-31T15:30:00 Z", " 2030-01-31T15:30:00Z", "2030-01-31T15:30:00Z\n", "20300131T153000Z",
    "2030-W05-4T15:30:00Z", "31.01.2030 15:30", "２０３０-01-31T15:30:00Z", "2030-02-30T15:30:00Z",
    "2030-01-31T24:00:00Z", "2030-01-31T15:30:60Z", "2030-01-31T15:30:00+24:00",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "tomorrow", "", 1_896_103_800,
    1_896_103_800.5, 10**14, True, [], {},
]  # fmt: skip


async def test_rejects_invalid_times(alice):
    for end in INVALID_TIMES:
        assert await refusal(alice, expires_at=end) == ("body.expires_at", "time_invalid"), end
