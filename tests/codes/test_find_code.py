"""GET /api/v1/referral-codes/{code}"""

import asyncio
from datetime import datetime, timedelta

import pytest

from concurrency import at_once
from people import PASSWORD, join, make_code
from second_service import StoppedClock, second_service

MINE = "/api/v1/me/referral-codes"
PATH = "/api/v1/referral-codes"


async def test_shows_the_referrer_and_the_expiry(api, alice):
    code = await make_code(alice)

    answer = await api.get(f"{PATH}/{code['code']}")

    assert answer.status_code == 200
    assert answer.json() == {
        "code": code["code"],
        "expires_at": code["expires_at"],
        "referrer": {"display_name": "Alice L."},
    }


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ({"first_name": None}, "A friend"),
        ({"first_name": "Carol"}, "Carol"),
        ({"first_name": None, "last_name": "Danvers"}, "D."),
        ({"first_name": "Carol", "last_name": "Danvers"}, "Carol D."),
        ({"first_name": "आरती", "last_name": "मिश्रा"}, "आरती मि."),
        ({"first_name": "มานี", "last_name": "เมฆา"}, "มานี เม."),
        ({"first_name": "ສົມ", "last_name": "ໄຊຍະ"}, "ສົມ ໄຊ."),
        ({"first_name": "Li", "last_name": "한글"}, "Li 한."),
    ],
)
async def test_shows_only_the_initial_of_the_last_name(api, names, shown):
    carol = await join(api, "carol", **names)
    code = await make_code(carol)

    answer = await api.get(f"{PATH}/{code['code']}")

    assert answer.json()["referrer"] == {"display_name": shown}
    assert "danvers" not in answer.text.lower()
    assert carol.email not in answer.text


@pytest.mark.one_database
@pytest.mark.parametrize("spelled", ["olivia-2030", "OLIVIA2030", "%20o-l-i-v-i-a%202030", "0L1V1A-2O3O"])
async def test_the_code_is_normalised(api, alice, spelled):
    await make_code(alice, code="OLIVIA-2030")

    answer = await api.get(f"{PATH}/{spelled}")

    assert answer.json()["code"] == "OLIVIA-2030"


async def test_finds_a_hidden_code(api, alice):
    code = await make_code(alice, discoverable=False)

    assert (await api.get(f"{PATH}/{code['code']}")).status_code == 200


async def unknown(_alice, _clock):
    return "7KQ2M9XWPA"


async def nonsense(_alice, _clock):
    return "%00"


async def full_width(alice, _clock):
    await make_code(alice, code="ABCD")
    return "ＡＢＣＤ"


async def prepared(alice, _clock):
    return (await make_code(alice, active=False))["code"]


async def expired(alice, clock):
    code = await make_code(alice, lifetime=60)
    clock.forward(seconds=60)
    return code["code"]


async def deleted(alice, _clock):
    code = await make_code(alice)
    await alice.delete(f"{MINE}/{code['code']}")
    return code["code"]


async def replaced(alice, _clock):
    old, new = await make_code(alice), await make_code(alice, active=False)
    await alice.post(f"{MINE}/{new['code']}/activate", {"replace": True})
    return old["code"]


async def used_up(alice, _clock):
    code = await make_code(alice, max_uses=1)
    await join(alice.api, "bob", referral_code=code["code"])
    return code["code"]


async def erased(alice, _clock):
    code = await make_code(alice)
    await alice.delete("/api/v1/me", json={"password": PASSWORD})
    return code["code"]


NEGATIVES = [unknown, nonsense, full_width, prepared, expired, deleted, replaced, used_up, erased]


@pytest.mark.parametrize("negative", NEGATIVES, ids=lambda case: case.__name__)
async def test_every_negative_response_is_the_same(api, alice, clock, negative):
    answer = await api.get(f"{PATH}/{await negative(alice, clock)}")
    never = await api.get(f"{PATH}/0000000000")

    assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")
    assert answer.json() | {"request_id": None} == never.json() | {"request_id": None}
    for each in (answer, never):
        del each.headers["x-request-id"]
    assert answer.headers == never.headers


async def test_found_until_it_expires(api, alice, database_url):
    code = await make_code(alice, lifetime=60)
    end = datetime.fromisoformat(code["expires_at"])
    clock = StoppedClock(end - timedelta(microseconds=1))

    async with second_service(database_url, clock=clock) as service:
        before = await service.get(f"{PATH}/{code['code']}")
        clock.now = end
        then = await service.get(f"{PATH}/{code['code']}")

    assert (before.status_code, then.status_code) == (200, 404)


async def test_not_found_after_its_deletion(api, alice, database_url):
    code = await make_code(alice)
    look_ups = [f"{PATH}/{code['code']}", f"{PATH}/by-email?email={alice.email}"] * 20

    async with second_service(database_url, limits="look-up-email-missing=100/minute") as alice.api:
        get, delete = alice.api.get, alice.delete(f"{MINE}/{code['code']}")
        during, _ = await asyncio.gather(at_once(get, look_ups), delete)
        after = await at_once(get, look_ups)
    alice.api = api

    assert {answer.status_code for answer in during} <= {200, 404}
    assert {answer.status_code for answer in after} == {404}


async def test_repeated_look_ups_are_equal(api, alice):
    code = await make_code(alice)

    answers = [await api.get(f"{PATH}/{code['code']}") for _ in range(3)]

    assert len({answer.content for answer in answers}) == 1


async def test_allowed_while_look_up_by_email_is_off(api, alice, database_url):
    code = await make_code(alice)

    async with second_service(database_url, code_lookup="off") as service:
        answer = await service.get(f"{PATH}/{code['code']}")

    assert answer.status_code == 200
