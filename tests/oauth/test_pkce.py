"""PKCE: always for public apps, and for confidential ones unless the operator lets them do without."""

import pytest

from goodword.oauth.errors import ClientInvalid
from third_party import App, answer_of, register_app

pytestmark = pytest.mark.one_database

WITHOUT = {"code_challenge": None, "code_challenge_method": None}


@pytest.fixture
async def express(app, api) -> App:
    """Register an app like one with passport-openidconnect 0.1.2, which does not send a challenge by default."""
    return await register_app(app, api, "https://express.example/callback", pkce_required=False)


async def test_an_app_with_optional_pkce_signs_in_without(express, alices, alice):
    code = await express.code(alices, scope="openid profile", **WITHOUT)

    tokens = (await express.exchange(code, code_verifier=None)).json()

    assert (await express.get("/api/v1/me", tokens)).json()["id"] == alice.id


async def test_every_other_app_must_use_it(garden, pocket, alices):
    for app in (garden, pocket):
        assert answer_of(await alices.get(app.url(**WITHOUT)))["error"] == "invalid_request"


async def test_a_challenge_counts_also_where_it_is_optional(express, alices):
    code = await express.code(alices)

    for verifier in (None, "a" * 43):
        answer = await express.exchange(code, code_verifier=verifier)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert (await express.exchange(code)).status_code == 200


async def test_a_verifier_without_a_challenge_is_refused(express, alices):
    """Otherwise an attacker could take the challenge out of a request (RFC 9700 §4.8.2)."""
    code = await express.code(alices, **WITHOUT)

    answer = await express.exchange(code)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "parameters",
    [{"code_challenge_method": None}, {"code_challenge": None}, {"code_challenge_method": "plain"}],
)
async def test_half_a_challenge_is_refused(express, alices, parameters):
    assert answer_of(await alices.get(express.url(**parameters)))["error"] == "invalid_request"


async def test_a_public_app_cannot_be_registered_without(app, api):
    with pytest.raises(ClientInvalid, match="PKCE"):
        await register_app(
            app,
            api,
            "http://127.0.0.1/cb",
            public=True,
            pkce_required=False,
            grant_types=("authorization_code", "refresh_token"),
        )
