"""GET /api/v1/users/{user_id}/referral-stats: the range"""

from datetime import UTC, datetime, timedelta

import pytest

from second_service import stopped_at

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)


def path(person):
    return f"/api/v1/users/{person.id}/referral-stats"


@pytest.fixture
async def alice_now(alice, database_url):
    """Return Alice at `NOW`."""
    async with stopped_at(NOW, alice, database_url) as person:
        yield person


@pytest.mark.parametrize(
    ("interval", "begin", "buckets"),
    [("day", "2030-01-01", 31), ("week", "2029-08-02", 27), ("month", "2029-01-31", 13)],
)
async def test_the_default_range_depends_on_the_interval(alice_now, interval, begin, buckets):
    found = (await alice_now.get(path(alice_now), params={"interval": interval})).json()

    assert (found["from"], found["to"]) == (f"{begin}T12:00:00Z", "2030-01-31T12:00:00Z")
    assert found["interval"] == interval
    assert len(found["series"]) == buckets


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2030-03-02T00:00:00Z", "2030-03-01T00:00:00Z"),
        ("2030-03-01T00:00:00Z", "2030-03-01T00:00:00Z"),
        ("2030-03-01T02:00:00+02:00", "2030-03-01T00:00:00Z"),
        ("2030-01-31T12:00:01Z", None),
        ("2028-01-01T00:00:00Z", "2030-03-01T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
        ("0001-01-01T00:00:00Z", None),
        (None, "0001-01-02T00:00:00Z"),
    ],
)
async def test_rejects_an_empty_or_too_long_range(alice_now, start, end):
    span = {name: value for name, value in (("from", start), ("to", end)) if value}

    answer = await alice_now.get(path(alice_now), params=span)

    assert (answer.status_code, answer.json()["code"]) == (422, "range_invalid")


@pytest.mark.parametrize(("interval", "days"), [("day", 400), ("week", 2800), ("month", 11_200)])
async def test_accepts_at_most_400_intervals(alice, interval, days):
    start = datetime(2000, 1, 1, tzinfo=UTC)
    inside, outside = (
        {"from": start.isoformat(), "to": (start + timedelta(days=span)).isoformat(), "interval": interval}
        for span in (days, days + 1)
    )

    found, refused = await alice.get(path(alice), params=inside), await alice.get(path(alice), params=outside)

    assert found.status_code == 200
    assert 365 <= len(found.json()["series"]) <= 401
    assert refused.json()["code"] == "range_invalid"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("0001-01-01T00:00:00Z", "0001-01-02T00:00:00Z"),
        ("9999-12-31T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
@pytest.mark.parametrize("interval", ["day", "week", "month"])
async def test_accepts_the_first_and_the_last_day(alice, start, end, interval):
    answer = await alice.get(path(alice), params={"from": start, "to": end, "interval": interval})

    assert answer.status_code == 200
    assert len(answer.json()["series"]) == 1


INVALID_TIMES = ["", "2030-01-31", "2030-01-31T12:00:00", "1896091200", "now", "2030-02-30T00:00:00Z"]


@pytest.mark.one_database
@pytest.mark.parametrize("parameter", ["from", "to"])
async def test_rejects_invalid_times(alice, parameter):
    for value in INVALID_TIMES:
        answer = await alice.get(path(alice), params={parameter: value})
        assert answer.status_code == 422
        assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [
            (f"query.{parameter}", "time_invalid")
        ]


@pytest.mark.one_database
@pytest.mark.parametrize("interval", ["", "hour", "DAY", "day'; --"])
async def test_rejects_an_unknown_interval(alice, interval):
    answer = await alice.get(path(alice), params={"interval": interval})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["query.interval"]


@pytest.mark.one_database
async def test_rejects_a_repeated_parameter(alice):
    answer = await alice.get(f"{path(alice)}?interval=day&interval=week")

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "repeated")
