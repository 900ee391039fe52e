"""POST /api/v1/admin/referrals/{referral_id}/reject"""

import asyncio
import uuid
from collections import Counter

import pytest

from people import join, make_code, referrals_of


@pytest.fixture
async def path(api, alice):
    code = await make_code(alice)
    await join(api, "bob", referral_code=code["code"])
    (referral,) = await referrals_of(alice)
    return f"/api/v1/admin/referrals/{referral['id']}/reject"


async def test_a_rejected_referral_counts_as_such(rita, alice, path):
    answer = await rita.post(path, {"reason": "The same person twice."})

    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["reason"]) == ("rejected", "The same person twice.")
    assert answer.json()["referrer_id"] == alice.id
    (seen,) = await referrals_of(alice)
    assert seen["status"] == "rejected"
    assert "twice" not in str(seen)
    stats = (await alice.get(f"/api/v1/users/{alice.id}/referral-stats")).json()
    assert stats["by_status"] == {"pending": 0, "confirmed": 0, "rejected": 1}


async def test_both_users_stay(rita, alice, path, api):
    await rita.post(path, {"reason": "why not"})

    found = (await rita.get("/api/v1/admin/users", params={"q": "bob"})).json()["items"]
    assert found[0]["status"] == "active"


async def test_one_of_several_concurrent_requests_rejects(rita, path):
    answers = await asyncio.gather(*(rita.post(path, {"reason": str(n)}) for n in range(8)))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 7}
    assert {answer.json().get("code") for answer in answers} == {None, "referral_rejected"}


@pytest.mark.one_database
@pytest.mark.parametrize(
    "body",
    [{}, {"reason": ""}, {"reason": None}, {"reason": 7}, {"reason": "a" * 101}, {"reason": "a\0b"},
     {"reason": "  "}, {"reason": "fine", "more": 1}],
)  # fmt: skip
async def test_an_invalid_reason_is_refused(rita, path, body):
    assert (await rita.post(path, body)).status_code == 422


async def test_a_lone_surrogate_is_refused(rita, path):
    headers = {"Content-Type": "application/json"}

    answer = await rita.call("POST", path, content=rb'{"reason": "\ud800"}', headers=headers)

    assert answer.status_code == 422


async def test_an_unknown_referral_is_refused(rita):
    answer = await rita.post(f"/api/v1/admin/referrals/{uuid.uuid4()}/reject", {"reason": "why not"})

    assert (answer.status_code, answer.json()["code"]) == (404, "referral_not_found")
