"""Codes of an erased user on a node that has not seen the erasure yet."""

from people import make_code
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
