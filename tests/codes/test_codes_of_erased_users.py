"""Codes of an erased user on a node that has not seen the erasure yet."""

from asgi import run_due_jobs
from people import insert_codes, make_code, register
from second_service import second_service

MINE = "/api/v1/me/referral-codes"


async def test_another_node_lists_no_codes_of_an_erased_user(alice, database_url):
    await make_code(alice)
    headers = {"Authorization": f"Bearer {alice.tokens['access_token']}"}
    async with second_service(database_url) as there:
        assert len((await there.get(MINE, headers=headers)).json()["items"]) == 1

        assert (await alice.delete("/api/v1/me", json={"password": alice.password})).status_code == 204

        answer = await there.get(MINE, headers=headers)
        assert (answer.status_code, answer.json()["items"]) == (200, [])


async def test_the_codes_of_an_account_are_erased_in_batches(app, api, alice, rows):
    await insert_codes(app, alice, 1_700)
    active = (await make_code(alice, code="ALICE-2030"))["code"]
    oldest = (await rows("SELECT code FROM referral_codes ORDER BY created_at LIMIT 1"))[0][0]
    left = "SELECT count(*) FROM referral_codes WHERE key IS NOT NULL"

    assert (await alice.delete("/api/v1/me", json={"password": alice.password})).status_code == 204

    assert await rows(left) == [(701,)]
    for code in (active, oldest):
        assert (await api.get(f"/api/v1/referral-codes/{code}")).status_code == 404
        assert (await register(api, "bob", referral_code=code)).json()["code"] == "code_not_usable"
    await run_due_jobs(app)
    assert await rows(left) == [(0,)]
    reasons = "SELECT retired_reason, count(*) FROM referral_codes GROUP BY 1 ORDER BY 1"
    assert await rows(reasons) == [("deleted", 567), ("erased", 1134)]
    audited = "SELECT count(*) FROM audit_events WHERE action = 'code.retired'"
    assert await rows(audited) == [(1,)], "of the active code"
