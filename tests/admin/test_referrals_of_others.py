"""GET /api/v1/users/{user_id}/referrals and /referral-stats, as administrators see those of anyone"""

import uuid

import pytest

from people import join, make_code

each_view = pytest.mark.parametrize("view", ["referrals", "referral-stats"])


async def test_administrators_see_referrals_with_masked_addresses(api, rita, alice):
    code = await make_code(alice)
    await join(api, "bob", referral_code=code["code"])

    answer = await rita.get(f"/api/v1/users/{alice.id}/referrals")

    assert answer.json() == (await alice.get(f"/api/v1/users/{alice.id}/referrals")).json()
    assert answer.json()["items"][0]["referee"]["email_masked"] == "b***@example.com"
    stats = await rita.get(f"/api/v1/users/{alice.id}/referral-stats")
    assert stats.json()["total"] == 1


@each_view
async def test_an_unknown_user_is_refused(rita, view):
    answer = await rita.get(f"/api/v1/users/{uuid.uuid4()}/{view}")

    assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")


@each_view
async def test_users_get_the_same_response_for_foreign_and_unknown_ids(alice, bob, view):
    foreign = await bob.get(f"/api/v1/users/{alice.id}/{view}")
    unknown = await bob.get(f"/api/v1/users/{uuid.uuid4()}/{view}")

    assert foreign.status_code == 404
    assert foreign.json() | {"request_id": 0} == unknown.json() | {"request_id": 0}


@each_view
async def test_a_demoted_administrator_is_refused(app, rita, alice, view):
    from goodword.admin import service

    async with app.state.services.database.transaction() as session:
        await service.demote(session, uuid.UUID(rita.id))

    assert (await rita.get(f"/api/v1/users/{alice.id}/{view}")).status_code == 404
