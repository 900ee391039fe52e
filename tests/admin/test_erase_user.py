"""DELETE /api/v1/admin/users/{user_id}"""

import asyncio
import uuid
from collections import Counter

from people import join, make_code, referrals_of, register, sign_in

PATH = "/api/v1/admin/users"


async def test_an_erased_user_is_gone_at_once(api, rita, alice):
    code = await make_code(alice)

    answer = await rita.delete(f"{PATH}/{alice.id}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await alice.get("/api/v1/me")).json()["code"] == "invalid_token"
    assert (await sign_in(api, alice.email)).status_code == 401
    assert (await api.get(f"/api/v1/referral-codes/{code['code']}")).status_code == 404
    assert (await register(api, "alice")).status_code == 201


async def test_no_personal_data_is_left(rita, alice, rows):
    await make_code(alice)
    await rita.delete(f"{PATH}/{alice.id}")

    users = str(await rows("SELECT * FROM users WHERE status = 'erased'")).lower()

    assert "alice" not in users
    assert "liddell" not in users


async def test_referred_users_stay(api, rita, alice):
    code = await make_code(alice)
    bob = await join(api, "bob", referral_code=code["code"])
    await make_code(bob, code="BOBS-OWN")
    await join(api, "carol", referral_code="BOBS-OWN")

    await rita.delete(f"{PATH}/{alice.id}")

    assert (await bob.get("/api/v1/me")).json()["referred_by"] == "A friend"
    assert len(await referrals_of(bob)) == 1


async def test_an_erased_administrator_loses_the_rights(app, rita, alice, rows):
    from goodword.admin import service

    async with app.state.services.database.transaction() as session:
        await service.promote(
            session, app.state.services, uuid.UUID(alice.id), now=app.state.services.clock()
        )

    await rita.delete(f"{PATH}/{alice.id}")

    assert await rows("SELECT count(*) FROM users WHERE is_admin") == [(1,)]


async def test_a_disabled_user_can_be_erased(rita, alice):
    await rita.post(f"{PATH}/{alice.id}/disable", None)

    assert (await rita.delete(f"{PATH}/{alice.id}")).status_code == 204


async def test_one_of_several_concurrent_requests_erases(rita, alice):
    answers = await asyncio.gather(*(rita.delete(f"{PATH}/{alice.id}") for _ in range(8)))

    assert Counter(answer.status_code for answer in answers) == {204: 1, 409: 7}


async def test_administrators_cannot_erase_themselves(rita):
    answer = await rita.delete(f"{PATH}/{rita.id}")

    assert answer.status_code == 409
    assert answer.json()["code"] == "not_yourself"


async def test_an_unknown_user_is_refused(rita):
    answer = await rita.delete(f"{PATH}/{uuid.uuid4()}")

    assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")
