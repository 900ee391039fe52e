"""POST /api/v1/me/referral-codes"""

import asyncio
from collections import Counter

from people import make_code

PATH = "/api/v1/me/referral-codes"


async def test_it_makes_a_code_with_a_term(alice, clock):
    answer = await alice.post(PATH, {"lifetime": 3600})

    assert answer.status_code == 201
    code = answer.json()
    assert answer.headers["location"] == f"{PATH}/{code['code']}"
    assert code["status"] == "active"
    assert code["link"] == f"http://127.0.0.1:8000/r/{code['code']}"
    assert code["uses"] == 0
    assert code["discoverable"] is True


async def test_fifty_at_once_make_one(alice, rows):
    answers = await asyncio.gather(*(alice.post(PATH, {"lifetime": 3600}) for _ in range(50)))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 49}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"code_in_force"}
    assert await rows("SELECT count(*) FROM referral_codes") == [(1,)]


async def test_it_can_be_made_after_the_last_one_expired(alice, clock):
    first = await make_code(alice, lifetime=60)
    clock.forward(seconds=61)
    await alice.sign_in()

    second = await make_code(alice)

    assert second["status"] == "active"
    shown = await alice.get(f"{PATH}/{first['code']}")
    assert shown.json()["status"] == "retired"
