"""Referrals between addresses of one mailbox: allowed, flagged for administrators, or refused."""

import pytest

from people import join, make_code, referrals_of, register
from second_service import second_service

pytestmark = pytest.mark.one_database


@pytest.fixture
async def pair(api):
    """Return a user, and the referral of the same mailbox; another referral is of another person."""
    carol = await join(api, "carol", email="carol.d@gmail.com")
    code = await make_code(carol)
    again = await join(api, "again", email="carold+2@googlemail.com", referral_code=code["code"])
    await register(api, "dave", referral_code=code["code"])
    return carol, again, code["code"]


async def flags_of(rita, person):
    users = (await rita.get("/api/v1/admin/users", params={"email": person.email})).json()["items"]
    detail = (await rita.get(f"/api/v1/admin/users/{person.id}")).json()
    assert users[0]["flags"] == detail["flags"]
    return detail["flags"]


async def test_both_sides_are_flagged_for_administrators(rita, pair, alice):
    carol, again, _ = pair

    assert await flags_of(rita, carol) == await flags_of(rita, again) == ["self_referral"]
    assert await flags_of(rita, alice) == []
    nodes = (await rita.get(f"/api/v1/admin/users/{carol.id}/referral-tree")).json()["items"]
    assert {node["email"]: node["flags"] for node in nodes} == {
        carol.email: ["self_referral"],
        again.email: ["self_referral"],
        "dave@example.com": [],
    }
    assert len(await referrals_of(carol)) == 2


async def test_the_flag_ends_with_the_account(rita, pair):
    carol, again, _ = pair
    await again.delete("/api/v1/me", json={"password": again.password})

    assert await flags_of(rita, carol) == []


async def test_one_mailbox_without_a_referral_is_not_flagged(rita, api):
    one = await join(api, "one", email="one@example.com")
    await join(api, "two", email="one+two@example.com")

    assert await flags_of(rita, one) == []


async def test_they_can_be_allowed(database_url, rita, pair):
    async with second_service(database_url, self_referrals="allow") as rita.api:
        assert await flags_of(rita, pair[0]) == []


async def test_they_can_be_refused(database_url, api, pair, rows):
    carol, _, code = pair
    async with second_service(database_url, self_referrals="refuse") as client:
        answer = await register(client, "x", email="caroLD+3@gmail.com", referral_code=code)
        other = await register(client, "erin", referral_code=code)

    assert (answer.status_code, answer.json()["code"]) == (422, "code_not_usable")
    assert await rows("SELECT count(*) FROM users WHERE email = 'caroLD+3@gmail.com'") == [(0,)]
    assert other.status_code == 201
    assert len(await referrals_of(carol)) == 3
