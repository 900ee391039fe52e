"""GET /api/v1/users/{user_id}/referral-stats"""

import asyncio
from datetime import UTC, datetime

import pytest

from concurrency import at_once
from people import PASSWORD, join, make_code, register
from second_service import StoppedClock, second_service, stopped_at

NOBODY = "019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11"
NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)  # a Thursday


def path(person):
    return f"/api/v1/users/{person.id}/referral-stats"


async def stats(person, start=None, end=None, **query):
    span = {name: value for name, value in (("from", start), ("to", end)) if value}
    answer = await person.get(path(person), params=span | query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def series(found):
    """Return the days with referrals."""
    return {bucket["start"]: bucket["referrals"] for bucket in found["series"] if bucket["referrals"]}


def starts(found):
    return [bucket["start"] for bucket in found["series"]]


@pytest.fixture
async def alice_now(alice, database_url):
    """Return Alice at `NOW`, with the code WELCOME."""
    async with stopped_at(NOW, alice, database_url) as person:
        await make_code(person, code="WELCOME", lifetime=366 * 86_400)
        yield person


@pytest.fixture
async def joined_at(alice_now, database_url):
    """Return a function that registers a user with Alice's code at a given time."""
    clock = StoppedClock(NOW)
    async with second_service(database_url, clock=clock) as api:

        async def join_at(name, moment, code="WELCOME"):
            clock.now = datetime.fromisoformat(moment)
            answer = await register(api, name, referral_code=code)
            assert answer.status_code == 201, answer.text

        yield join_at


async def test_counts_are_zero_without_referrals(alice):
    found = await stats(alice)

    assert (found["total"], found["by_code"], series(found)) == (0, [], {})
    assert found["by_status"] == {"pending": 0, "confirmed": 0, "rejected": 0}
    assert set(found) == {"from", "to", "interval", "total", "by_status", "by_code", "series"}


async def test_counts_by_code_in_descending_order(api, alice):
    first = await make_code(alice, max_uses=1)
    await register(api, "bob", referral_code=first["code"])
    second = await make_code(alice)
    for name in ("carol", "dave"):
        await register(api, name, referral_code=second["code"])

    found = await stats(alice)

    assert found["total"] == found["by_status"]["confirmed"] == 3
    assert found["by_code"] == [
        {"code": second["code"], "referrals": 2},
        {"code": first["code"], "referrals": 1},
    ]


async def test_counts_by_status(api, alice, rows):
    code = await make_code(alice)
    for name in ("bob", "carol", "dave", "erin"):
        await register(api, name, referral_code=code["code"])
    # Set in the database: other tests cover pending and rejected referrals.
    for name, status in ("bob", "pending"), ("carol", "rejected"):
        await rows(
            "UPDATE referrals SET status = :status WHERE referee_id = "
            "(SELECT id FROM users WHERE email = :email) RETURNING id",
            status=status,
            email=f"{name}@example.com",
        )

    found = await stats(alice)

    assert found["by_status"] == {"pending": 1, "confirmed": 2, "rejected": 1}
    assert found["total"] == 4
    assert found["by_code"] == [{"code": code["code"], "referrals": 4}]


async def test_counts_deleted_codes_and_erased_referees(api, alice):
    code = await make_code(alice)
    bob = await join(api, "bob", referral_code=code["code"])
    await bob.delete("/api/v1/me", json={"password": PASSWORD})
    await alice.delete(f"/api/v1/me/referral-codes/{code['code']}")

    found = await stats(alice)

    assert (found["total"], found["by_code"]) == (1, [{"code": code["code"], "referrals": 1}])


async def test_counts_ones_own_referrals_only(api, alice, mallory):
    for owner, name in (alice, "bob"), (mallory, "carol"):
        code = await make_code(owner)
        await register(api, name, referral_code=code["code"])

    assert (await stats(alice))["total"] == (await stats(mallory))["total"] == 1


async def test_the_series_has_no_gaps(alice_now, joined_at):
    await joined_at("bob", "2030-02-27T10:00:00Z")
    await joined_at("carol", "2030-03-01T10:00:00Z")
    await joined_at("dave", "2030-03-01T11:00:00Z")

    found = await stats(alice_now, "2030-02-26T00:00:00Z", "2030-03-03T00:00:00Z")

    assert [(bucket["start"][:10], bucket["referrals"]) for bucket in found["series"]] == [
        ("2030-02-26", 0),
        ("2030-02-27", 1),
        ("2030-02-28", 0),
        ("2030-03-01", 2),
        ("2030-03-02", 0),
    ]
    assert all(start.endswith("T00:00:00Z") for start in starts(found))


async def test_days_begin_at_midnight_utc(alice_now, joined_at):
    await joined_at("bob", "2030-03-01T23:59:59.999999Z")
    await joined_at("carol", "2030-03-02T00:00:00Z")
    await joined_at("dave", "2030-03-02T01:00:00+02:00")

    found = await stats(alice_now, "2030-03-01T00:00:00Z", "2030-03-03T00:00:00Z")

    assert series(found) == {"2030-03-01T00:00:00Z": 2, "2030-03-02T00:00:00Z": 1}


async def test_weeks_begin_on_monday(alice_now, joined_at):
    await joined_at("bob", "2030-02-17T23:59:59Z")
    await joined_at("carol", "2030-02-18T00:00:00Z")
    await joined_at("dave", "2030-03-06T12:00:00Z")

    found = await stats(alice_now, "2030-02-14T00:00:00Z", "2030-03-07T00:00:00Z", interval="week")

    assert [(bucket["start"][:10], bucket["referrals"]) for bucket in found["series"]] == [
        ("2030-02-11", 1),
        ("2030-02-18", 1),
        ("2030-02-25", 0),
        ("2030-03-04", 1),
    ]


async def test_months_are_calendar_months(alice_now, joined_at):
    await joined_at("bob", "2030-02-28T23:59:59Z")
    await joined_at("carol", "2030-04-01T00:00:00Z")

    found = await stats(alice_now, "2030-01-31T00:00:00Z", "2030-05-01T00:00:00Z", interval="month")

    assert [(bucket["start"][:10], bucket["referrals"]) for bucket in found["series"]] == [
        ("2030-01-01", 0),
        ("2030-02-01", 1),
        ("2030-03-01", 0),
        ("2030-04-01", 1),
    ]


async def test_the_range_is_half_open(alice_now, joined_at):
    await joined_at("bob", "2030-03-01T09:59:59.999999Z")
    await joined_at("carol", "2030-03-01T10:00:00Z")
    await joined_at("dave", "2030-03-01T10:59:59.999999Z")
    await joined_at("erin", "2030-03-01T11:00:00Z")

    found = await stats(alice_now, "2030-03-01T10:00:00Z", "2030-03-01T11:00:00Z")

    assert (found["from"], found["to"]) == ("2030-03-01T10:00:00Z", "2030-03-01T11:00:00Z")
    assert found["total"] == found["by_code"][0]["referrals"] == 2
    assert series(found) == {"2030-03-01T00:00:00Z": 2}


async def test_another_user_is_answered_like_an_unknown_one(alice, mallory):
    another, nobody = (
        await mallory.get(path(alice)),
        await mallory.get(f"/api/v1/users/{NOBODY}/referral-stats"),
    )

    assert (another.status_code, another.json()["code"]) == (404, "user_not_found")
    assert another.json() | {"request_id": None} == nobody.json() | {"request_id": None}


@pytest.mark.one_database
async def test_rejects_an_invalid_id(alice):
    answer = await alice.get("/api/v1/users/me/referral-stats")

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["path.user_id"]


@pytest.mark.one_database
async def test_requires_authentication(api, alice):
    answer = await api.get(path(alice))

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="goodword"'


async def test_counts_agree_during_concurrent_registrations(api, alice):
    code = await make_code(alice)
    arriving = asyncio.create_task(
        at_once(lambda n: register(api, f"guest{n}", referral_code=code["code"]), range(60))
    )

    while not arriving.done():
        found = await stats(alice)
        by_code = sum(each["referrals"] for each in found["by_code"])
        assert sum(series(found).values()) == by_code == sum(found["by_status"].values()) == found["total"]

    assert {answer.status_code for answer in await arriving} == {201}
    assert (await stats(alice))["total"] == 60
