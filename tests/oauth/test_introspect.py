"""POST /oauth/introspect (RFC 7662)."""

import pytest

pytestmark = pytest.mark.one_database


async def told(app, token):
    answer = await app.post("/oauth/introspect", token=token)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_it_tells_about_an_access_token(garden, alices, alice):
    tokens = await garden.let_in(alices, "openid profile")

    found = await told(garden, tokens["access_token"])

    assert found.pop("exp") - found.pop("iat") == 600
    assert found == {
        "active": True,
        "scope": "openid profile",
        "client_id": garden.client_id,
        "sub": alice.id,
        "iss": "http://127.0.0.1:8000",
        "token_type": "Bearer",
    }


async def test_it_tells_about_a_refresh_token_while_it_is_good(garden, alices):
    tokens = await garden.let_in(alices, "profile offline_access")
    assert (await told(garden, tokens["refresh_token"]))["active"] is True

    newer = (await garden.refresh(tokens["refresh_token"])).json()

    assert await told(garden, tokens["refresh_token"]) == {"active": False}
    assert (await told(garden, newer["refresh_token"]))["active"] is True


async def test_it_tells_about_a_token_of_the_app_itself(garden, rival):
    own = (await garden.post("/oauth/token", grant_type="client_credentials", scope="codes:read")).json()

    found = await told(garden, own["access_token"])

    assert (found["active"], found["sub"], found["scope"]) == (True, garden.client_id, "codes:read")
    assert await told(rival, own["access_token"]) == {"active": False}


async def test_tokens_of_others_are_like_unknown_ones(garden, rival, alices, alice):
    tokens = await garden.let_in(alices, "profile offline_access")

    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert await told(rival, token) == {"active": False}
    for token in (alice.tokens["access_token"], alice.tokens["refresh_token"]):
        assert await told(garden, token) == {"active": False}


@pytest.mark.parametrize("token", ["unknown", "gwr_AAAA", "gwa_x", "\x00", "ü", "e30.e30.e30", "x" * 10_000])
async def test_an_unknown_token_is_not_active(garden, token):
    assert await told(garden, token) == {"active": False}


async def test_an_id_token_is_no_token(garden, alices):
    assert await told(garden, (await garden.let_in(alices, "openid"))["id_token"]) == {"active": False}


async def test_a_token_whose_time_is_over_is_not_active(garden, alices, alice, clock):
    tokens = await garden.let_in(alices, "profile")
    own = (await garden.post("/oauth/token", grant_type="client_credentials")).json()
    clock.forward(seconds=601)

    assert await told(garden, tokens["access_token"]) == {"active": False}
    assert await told(garden, own["access_token"]) == {"active": False}


async def test_a_token_that_was_taken_back_is_not_active(garden, alices, alice):
    tokens = await garden.let_in(alices, "profile offline_access")
    await alice.delete(f"/api/v1/me/apps/{garden.client_id}")

    assert await told(garden, tokens["access_token"]) == {"active": False}
    assert await told(garden, tokens["refresh_token"]) == {"active": False}


async def test_an_app_without_a_secret_may_not_ask(pocket, alices):
    tokens = await pocket.let_in(alices, "profile")

    answer = await pocket.post("/oauth/introspect", token=tokens["access_token"])

    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"


async def test_nobody_else_may_ask(api, garden):
    answer = await api.post("/oauth/introspect", data={"token": "x"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")

    answer = await garden.post("/oauth/introspect")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
