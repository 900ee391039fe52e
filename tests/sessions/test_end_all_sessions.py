"""DELETE /api/v1/me/sessions"""

from people import sign_in

PATH = "/api/v1/me/sessions"


async def works(api, tokens):
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return (await api.get("/api/v1/me", headers=headers)).status_code == 200


async def test_end_all_sessions_revokes_access_tokens(alice):
    others = [(await sign_in(alice.api, alice.email)).json() for _ in range(3)]

    assert (await alice.delete(PATH)).status_code == 204

    assert [await works(alice.api, tokens) for tokens in [alice.tokens, *others]] == [False] * 4


async def test_end_all_sessions_revokes_refresh_tokens(alice):
    others = [(await sign_in(alice.api, alice.email)).json() for _ in range(3)]
    await alice.delete(PATH)

    for tokens in [alice.tokens, *others]:
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        assert (await alice.api.post("/oauth/token", data=form)).json()["error"] == "invalid_grant"


async def test_end_all_sessions_keeps_sessions_of_others(alice, mallory):
    await mallory.delete(PATH)

    assert await works(alice.api, alice.tokens)


async def test_end_all_sessions_allows_a_new_sign_in(alice):
    await alice.delete(PATH)

    assert await works(alice.api, await alice.sign_in())
    assert len((await alice.get(PATH)).json()["items"]) == 1
