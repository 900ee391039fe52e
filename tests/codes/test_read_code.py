"""GET /api/v1/me/referral-codes/{code}"""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from people import join, make_code
from second_service import StoppedClock, second_service

PATH = "/api/v1/me/referral-codes"


async def test_returns_a_code(alice):
    code = await make_code(alice)

    answer = await alice.get(f"{PATH}/{code['code']}")

    assert answer.status_code == 200
    assert answer.json() == code
    assert set(code) == {
        "code", "status", "link", "expires_at", "created_at", "activated_at", "retired_at", "max_uses", "uses",
        "discoverable",
    }  # fmt: skip


async def test_counts_uses(api, alice):
    code = await make_code(alice)
    for name in ("bob", "carol"):
        await join(api, name, referral_code=code["code"])

    answer = await alice.get(f"{PATH}/{code['code']}")

    assert answer.json()["uses"] == 2


SPELLINGS = [
    "OLIVIA\N{EN DASH}2030", "OLIVIA%092030", "OLIVIA2030%0A",
    "OLIVIA-2030", "olivia-2030", "OLIVIA2030", "O-L-I-V-I-A-2-0-3-0", "--OLIVIA2030--", "OLIVIA%202030",
    "%20o%20l%20i%20v%20i%20a%202030%20", "0LIVIA-2O3O", "O1IVIA-2030", "OlLVLA-2o3o", "0l1v1a%2D2030",
]  # fmt: skip


@pytest.mark.one_database
async def test_the_code_is_normalised(alice):
    code = await make_code(alice, code="OLIVIA-2030")

    for spelled in SPELLINGS:
        answer = await alice.get(f"{PATH}/{spelled}")
        assert (answer.status_code, answer.json()) == (200, code), spelled


OTHER_CODES = [
    "ＯＬＩＶＩＡ-2030", "OLIVIA-２０３０", "ОLIVIA-2030", "OLİVIA-2030", "OLIVIA_2030",
    "OLIVIA.2030", "OLIVIA2030%00", "OLIVIA-203", "OLIVIA-20300",
    "OLIVIA-2038", "%2A", "%25", "----", "%20", "abc", "0" * 32, "0" * 33, "0" * 3000, "by-email",
    "' OR 1=1 --",
]  # fmt: skip


@pytest.mark.one_database
async def test_other_spellings_are_not_found(alice):
    await make_code(alice, code="OLIVIA-2030")

    for spelled in OTHER_CODES:
        answer = await alice.get(f"{PATH}/{spelled}")
        assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found"), spelled


async def test_another_owners_code_is_not_found(alice, mallory):
    code = await make_code(alice)

    answer = await mallory.get(f"{PATH}/{code['code']}")

    assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")


async def test_a_deleted_code_is_not_found(alice):
    code = await make_code(alice)
    await alice.delete(f"{PATH}/{code['code']}")

    answer = await alice.get(f"{PATH}/{code['code']}")

    assert (answer.status_code, answer.json()["code"]) == (404, "code_not_found")


@pytest.mark.one_database
async def test_requires_authentication(api, alice):
    code = await make_code(alice)

    answer = await api.get(f"{PATH}/{code['code']}")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="goodword"'


async def test_expires_at_the_exact_time(alice, database_url):
    code = await make_code(alice, lifetime=60)
    end = datetime.fromisoformat(code["expires_at"])
    clock = StoppedClock(end - timedelta(microseconds=1))

    async with second_service(database_url, clock=clock) as api:
        before = await replace(alice, api=api).get(f"{PATH}/{code['code']}")
        clock.now = end
        then = await replace(alice, api=api).get(f"{PATH}/{code['code']}")

    assert (before.json()["status"], then.json()["status"]) == ("active", "expired")
