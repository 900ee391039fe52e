"""ID tokens: their algorithm and key, and the claims that an app asks for (OpenID Connect Core §2, §5.5)."""

import json

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from forged_tokens import parts_of
from third_party import answer_of, register_app

pytestmark = pytest.mark.one_database

ALICE = {"name": "Alice Liddell", "given_name": "Alice", "family_name": "Liddell"}
ADDRESS = {"email": "alice@example.com", "email_verified": False}


def user_claims(tokens):
    claims = parts_of(tokens["id_token"])[1]
    return {name: value for name, value in claims.items() if name in ALICE | ADDRESS}


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_they_are_signed_as_the_app_was_registered_for(app, api, alices, algorithm):
    garden = await register_app(app, api, "https://garden.example/cb", id_token_alg=algorithm)

    tokens = await garden.let_in(alices, "openid profile")

    keys = KeySet.import_key_set((await api.get("/.well-known/jwks.json")).json())
    found = jwt.decode(tokens["id_token"], keys, algorithms=[algorithm])
    assert found.header["alg"] == algorithm
    assert found.claims["aud"] == garden.client_id
    assert parts_of(tokens["access_token"])[0]["alg"] == "ES256"


async def test_rs256_is_the_default(garden, alices):
    assert parts_of((await garden.let_in(alices, "openid"))["id_token"])[0]["alg"] == "RS256"


async def test_an_rs256_id_token_is_no_access_token(garden, alices):
    tokens = await garden.let_in(alices, "openid profile")

    assert (await garden.get("/api/v1/me", {"access_token": tokens["id_token"]})).status_code == 401


async def test_they_hold_no_personal_data_unless_an_app_asks(garden, alices):
    assert user_claims(await garden.let_in(alices, "openid profile email")) == {}


async def test_an_app_asks_by_the_claims_parameter(garden, alices):
    """As Auth.js does not: it reads the ID token alone."""
    claims = json.dumps({"id_token": {"name": None, "email": {"essential": True}, "shoe_size": None}})

    tokens = await garden.let_in(alices, "openid profile email", claims=claims)

    assert user_claims(tokens) == {"name": "Alice Liddell", "email": "alice@example.com"}


@pytest.mark.parametrize(
    ("scope", "expected"),
    [("openid", {}), ("openid profile", ALICE), ("openid profile email", ALICE | ADDRESS)],
)
async def test_an_app_can_be_registered_for_the_claims_of_its_scopes(app, api, alices, scope, expected):
    garden = await register_app(app, api, "https://garden.example/cb", claims_in_id_token=True)

    assert user_claims(await garden.let_in(alices, scope)) == expected


@pytest.mark.parametrize("member", ["id_token", "userinfo"])
async def test_requested_claims_are_shown_as_their_scope(garden, alices, member):
    page = await alices.get(garden.url(scope="openid", claims=json.dumps({member: {"email": None}})))
    assert "See your e-mail address" in page.text

    answer = await alices.send(page, decision="allow")
    tokens = (await garden.exchange(answer_of(answer)["code"])).json()

    assert tokens["scope"] == "openid email"
    assert (await garden.get("/oauth/userinfo", tokens)).json()["email"] == "alice@example.com"


async def test_claims_do_not_widen_what_an_app_is_registered_for(app, api, alices):
    narrow = await register_app(
        app, api, "https://narrow.example/cb", scope=["openid"], grant_types=["authorization_code"]
    )

    tokens = await narrow.let_in(alices, "openid", claims='{"id_token": {"email": null}}')

    assert (tokens["scope"], user_claims(tokens)) == ("openid", {})


@pytest.mark.parametrize("claims", ["", "{", "[]", '"x"', '{"id_token": []}', '{"userinfo": 1}', "[" * 1000])
async def test_what_is_no_claims_request_is_refused(garden, alices, claims):
    answer = await alices.get(garden.url(claims=claims))

    if claims:
        assert answer_of(answer)["error"] == "invalid_request"
    else:  # a parameter without a value is none (RFC 6749 §3.1)
        assert answer.status_code == 200


async def test_an_app_can_expect_a_user_by_claims(garden, alices, alice, bob):
    await garden.let_in(alices, "openid")

    async def silently(subject):
        claims = json.dumps({"id_token": {"sub": {"value": subject}}})
        return answer_of(await alices.get(garden.url(scope="openid", prompt="none", claims=claims)))

    assert "code" in await silently(alice.id)
    assert (await silently(bob.id)).get("error") == "login_required"


async def test_an_essential_authentication_context_cannot_be_had(garden, alices):
    """OpenID Connect Core §5.5.1.1: what cannot be met is a failed authentication."""
    gold = json.dumps({"id_token": {"acr": {"essential": True, "values": ["gold"]}}})
    voluntary = json.dumps({"id_token": {"acr": {"values": ["gold"]}}})

    assert (
        answer_of(await alices.get(garden.url(claims=gold)))["error"] == "unmet_authentication_requirements"
    )
    assert (await alices.get(garden.url(claims=voluntary))).status_code == 200
