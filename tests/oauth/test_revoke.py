"""POST /oauth/revoke (RFC 7009)."""

import pytest

pytestmark = pytest.mark.one_database


def outcome(answer):
    return answer.status_code, answer.json().get("error")


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_giving_a_token_back_ends_its_session(garden, alices, kind):
    tokens = await garden.let_in(alices, "profile offline_access")

    answer = await garden.post("/oauth/revoke", token=tokens[kind])

    assert (answer.status_code, answer.content) == (200, b"")
    assert (await garden.get("/api/v1/me", tokens)).status_code == 401
    assert outcome(await garden.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


async def test_a_spent_refresh_token_ends_it_too(garden, alices):
    tokens = await garden.let_in(alices, "profile offline_access")
    newer = (await garden.refresh(tokens["refresh_token"])).json()

    assert (await garden.post("/oauth/revoke", token=tokens["refresh_token"])).status_code == 200

    assert (await garden.get("/api/v1/me", newer)).status_code == 401


async def test_other_sessions_stay(garden, alices, alice):
    one, two = [await garden.let_in(alices, "profile") for _ in range(2)]

    await garden.post("/oauth/revoke", token=one["access_token"], token_type_hint="refresh_token")

    assert (await garden.get("/api/v1/me", two)).status_code == 200
    assert (await alice.get("/api/v1/me")).status_code == 200


@pytest.mark.parametrize("token", ["unknown", "gwr_AAAA", "\x00", "ü", "a.b.c", "x" * 10_000])
async def test_an_unknown_token_is_answered_alike(garden, token):
    assert (await garden.post("/oauth/revoke", token=token)).status_code == 200


async def test_tokens_of_others_are_answered_alike_and_live_on(garden, rival, alices, alice):
    tokens = await garden.let_in(alices, "profile offline_access")

    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert (await rival.post("/oauth/revoke", token=token)).status_code == 200
    for token in (alice.tokens["access_token"], alice.tokens["refresh_token"]):
        assert (await rival.post("/oauth/revoke", token=token)).status_code == 200

    assert (await garden.get("/api/v1/me", tokens)).status_code == 200
    assert (await alice.get("/api/v1/me")).status_code == 200


async def test_an_app_without_a_secret_may_too(pocket, alices):
    tokens = await pocket.let_in(alices, "profile offline_access")

    assert (await pocket.post("/oauth/revoke", token=tokens["refresh_token"])).status_code == 200
    assert (await pocket.get("/api/v1/me", tokens)).status_code == 401


async def test_it_says_what_it_needs(garden):
    assert outcome(await garden.post("/oauth/revoke")) == (400, "invalid_request")
    own = (await garden.post("/oauth/token", grant_type="client_credentials")).json()["access_token"]
    assert outcome(await garden.post("/oauth/revoke", token=own)) == (400, "unsupported_token_type")
    garden.secret = "wrong"
    assert outcome(await garden.post("/oauth/revoke", token="x")) == (401, "invalid_client")
