"""DELETE /api/v1/me/sessions"""

from people import sign_in

PATH = "/api/v1/me/sessions"


async def works(api, tokens):
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return (await api.get("/api/v1/me", headers=headers)).status_code == 200


async def test_it_signs_out_everywhere(alice):
    others = [(await sign_in(alice.api, alice.email)).json() for _ in range(3)]

    assert (await alice.delete(PATH)).status_code == 204

    assert [await works(alice.api, tokens) for tokens in [alice.tokens, *others]] == [False] * 4


async def test_no_refresh_token_survives(alice):
    others = [(await sign_in(alice.api, alice.email)).json() for _ in range(3)]
    await alice.delete(PATH)

    for tokens in [alice.tokens, *others]:
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        assert (await alice.api.post("/oauth/token", data=form)).json()["error"] == "invalid_grant"


async def test_nobody_else_is_signed_out(alice, mallory):
    await mallory.delete(PATH)

    assert await works(alice.api, alice.tokens)


async def test_one_can_sign_in_again(alice):
    await alice.delete(PATH)

    assert await works(alice.api, await alice.sign_in())
    assert len((await alice.get(PATH)).json()["items"]) == 1
