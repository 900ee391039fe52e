"""Authlib's client against the authorization server, whose code is not ours."""

from urllib.parse import urlencode

import pytest
from authlib.common.security import generate_token  # type: ignore[import-untyped]
from authlib.integrations.base_client.errors import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]
from httpx2 import ASGITransport
from joserfc import jwt
from joserfc.jwk import KeySet

from third_party import register_app

pytestmark = pytest.mark.one_database

BYE = "https://notes.example/bye"


@pytest.fixture
async def notes(app, api):
    return await register_app(
        app, api, "https://notes.example/callback", name="Notes", post_logout_redirect_uris=[BYE]
    )


@pytest.fixture
async def client(app, notes):
    async with AsyncOAuth2Client(
        notes.client_id,
        notes.secret,
        scope="openid profile email address offline_access",
        redirect_uri=notes.redirect_uri,
        code_challenge_method="S256",
        transport=ASGITransport(app),
    ) as client:
        yield client


@pytest.fixture
async def metadata(api):
    return (await api.get("/.well-known/openid-configuration")).json()


async def sign_in(client, metadata, browser):
    """Return the tokens, the claims of the verified ID token, and the response to the consent."""
    verifier = generate_token(48)
    url, _ = client.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce="a-nonce"
    )
    answer = await browser.get(url)
    if answer.status_code == 200:
        answer = await browser.send(answer, decision="allow")
    tokens = await client.fetch_token(
        metadata["token_endpoint"],
        authorization_response=answer.headers["location"],
        code_verifier=verifier,
    )
    keys = KeySet.import_key_set((await client.get(metadata["jwks_uri"])).json())
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims
    return tokens, claims, answer


async def test_it_signs_in_with_its_defaults(client, notes, metadata, alices, alice):
    tokens, claims, _ = await sign_in(client, metadata, alices)

    assert (claims["sub"], claims["nonce"], claims["aud"]) == (alice.id, "a-nonce", notes.client_id)
    found = (await client.get(metadata["userinfo_endpoint"])).json()
    assert (found["name"], found["email"]) == ("Alice Liddell", "alice@example.com")
    assert tokens["scope"] == "openid profile email offline_access"


async def test_it_refreshes_introspects_and_revokes(client, metadata, alices):
    tokens, _, _ = await sign_in(client, metadata, alices)

    newer = await client.refresh_token(metadata["token_endpoint"], tokens["refresh_token"])
    told = await client.introspect_token(metadata["introspection_endpoint"], newer["access_token"])
    gone = await client.revoke_token(metadata["revocation_endpoint"], newer["refresh_token"])

    assert told.json()["active"] is True
    assert gone.status_code == 200
    with pytest.raises(OAuthError, match="invalid_grant"):
        await client.refresh_token(metadata["token_endpoint"], newer["refresh_token"])


async def test_it_signs_out(client, metadata, alices):
    tokens, _, _ = await sign_in(client, metadata, alices)

    query = urlencode({"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BYE})
    answer = await alices.get(f"{metadata['end_session_endpoint']}?{query}")

    assert answer.headers["location"] == BYE
    assert (await alices.get("/account")).status_code == 303
