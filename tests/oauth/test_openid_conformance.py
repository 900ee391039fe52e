"""The test plans of the OpenID Foundation for Basic OP, Config OP and RP-Initiated Logout OP, by name.

Each test has the name of a module of the conformance suite and checks what that module checks. The suite itself needs
a public address and was not run. `docs/oauth-apps.md` says which modules do not apply.
"""

import json
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from third_party import answer_of, register_app

pytestmark = pytest.mark.one_database

ISSUER = "http://127.0.0.1:8000"
BYE = "https://rp.example/bye"
WITHOUT_PKCE = {"code_challenge": None, "code_challenge_method": None}
PROFILE = {"name": "Alice Liddell", "given_name": "Alice", "family_name": "Liddell"}
EMAIL = {"email": "alice@example.com", "email_verified": False}


@pytest.fixture
async def suite(app, api):
    """Register the suite's client, which uses PKCE in one module only."""
    return await register_app(
        app,
        api,
        "https://rp.example/callback",
        name="Conformance suite",
        pkce_required=False,
        post_logout_redirect_uris=[BYE],
    )


async def flow(suite, browser, scope="openid", *, basic=True, **parameters):
    """Run the whole flow as the suite does. Return the tokens and the verified claims of the ID token."""
    sent = {"nonce": "suite-nonce", **WITHOUT_PKCE, **parameters}
    code = await suite.code(browser, scope=scope, **sent)
    answer = await suite.exchange(code, code_verifier=None, basic=basic)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    return tokens, await id_token_of(suite, tokens)


async def id_token_of(suite, tokens):
    keys = KeySet.import_key_set((await suite.api.get("/.well-known/jwks.json")).json())
    found = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"])
    assert found.header["alg"] == "RS256"
    assert found.header["kid"] in {key.kid for key in keys.keys}
    claims = found.claims
    assert (claims["iss"], claims["aud"]) == (ISSUER, suite.client_id)
    assert claims["iat"] <= claims["exp"]
    return claims


async def userinfo(suite, tokens):
    answer = await suite.get("/oauth/userinfo", tokens)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def error_of(suite, browser, **parameters):
    return answer_of(await browser.get(suite.url(**{**WITHOUT_PKCE, "scope": "openid", **parameters})))[
        "error"
    ]


# Basic OP: oidcc-basic-certification-test-plan


async def test_oidcc_server(suite, alices, alice):
    tokens, claims = await flow(suite, alices)

    assert tokens["token_type"] == "Bearer"
    assert claims["sub"] == alice.id
    assert claims["nonce"] == "suite-nonce"
    assert len(claims["sub"]) <= 255


async def test_oidcc_response_type_missing(suite, alices):
    assert await error_of(suite, alices, response_type=None) == "invalid_request"


async def test_oidcc_idtoken_signature(suite, alices):
    await flow(suite, alices)  # checks the signature by the key that `kid` names


async def test_oidcc_userinfo_get(suite, alices, alice):
    tokens, claims = await flow(suite, alices)

    assert (await userinfo(suite, tokens))["sub"] == claims["sub"] == alice.id


@pytest.mark.parametrize("place", ["header", "body"])
async def test_oidcc_userinfo_post(suite, alices, alice, place):
    token = (await flow(suite, alices))[0]["access_token"]
    way = {
        "header": {"headers": {"Authorization": f"Bearer {token}"}},
        "body": {"data": {"access_token": token}},
    }

    answer = await suite.api.post("/oauth/userinfo", **way[place])

    assert answer.json()["sub"] == alice.id


async def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(suite, alices):
    assert "nonce" not in (await flow(suite, alices, nonce=None))[1]


@pytest.mark.parametrize(
    ("scope", "shown"),
    [
        ("openid profile", PROFILE),
        ("openid email", EMAIL),
        ("openid address", {}),
        ("openid phone", {}),
        ("openid profile email address phone", PROFILE | EMAIL),
        ("email openid", EMAIL),
    ],
    ids=["profile", "email", "address", "phone", "all", "other-order"],
)
async def test_oidcc_scope(suite, alices, alice, scope, shown):
    """Claims of scopes are in UserInfo, and not in the ID token (OpenID Connect Core §5.4)."""
    tokens, claims = await flow(suite, alices, scope)

    assert await userinfo(suite, tokens) == {"sub": alice.id, **shown}
    assert not claims.keys() & (PROFILE | EMAIL).keys()


async def test_oidcc_alternate_happy_flow(suite, alices):
    """The order of the scopes and of the parameters does not matter."""
    query = parse_qsl(urlsplit(suite.url(**WITHOUT_PKCE, scope="email openid")).query)

    page = await alices.get(f"/oauth/authorize?{urlencode(query[::-1])}")

    assert "code" in answer_of(await alices.send(page, decision="allow"))


@pytest.mark.parametrize(
    "parameters",
    [
        {"display": "page"},
        {"display": "popup"},
        {"extra": "foobar"},
        {"login_hint": "alice@example.com"},
        {"ui_locales": "se"},
        {"claims_locales": "se"},
        {"acr_values": "1 2"},
        {"max_age": "10000"},
    ],
    ids=[
        "display-page",
        "display-popup",
        "ensure-request-with-unknown-parameter-succeeds",
        "login-hint",
        "ui-locales",
        "claims-locales",
        "ensure-request-with-acr-values-succeeds",
        "max-age-10000",
    ],
)
async def test_oidcc_parameter(suite, alices, parameters):
    _, claims = await flow(suite, alices, **parameters)

    assert claims["auth_time"] <= claims["iat"]


async def sign_in_again(suite, browser, person, clock, **parameters):
    """Return the ID tokens before and after a second request, which must show the sign-in page."""
    _, first = await flow(suite, browser)
    clock.forward(seconds=2)
    to_sign_in = await browser.get(suite.url(**WITHOUT_PKCE, scope="openid", **parameters))
    assert to_sign_in.headers["location"].startswith("/sign-in?")
    back = await browser.sign_in_by_form(person, await browser.get(to_sign_in.headers["location"]))
    answer = await browser.get(back.headers["location"])
    code = answer_of(answer)["code"]
    tokens = (await suite.exchange(code, code_verifier=None)).json()
    return first, await id_token_of(suite, tokens)


@pytest.mark.parametrize(
    "parameters", [{"prompt": "login"}, {"max_age": "1"}], ids=["prompt-login", "max-age-1"]
)
async def test_oidcc_second_sign_in(suite, alices, alice, clock, parameters):
    first, second = await sign_in_again(suite, alices, alice, clock, **parameters)

    assert second["auth_time"] > first["auth_time"]


async def test_oidcc_prompt_none_not_logged_in(suite, browser):
    assert await error_of(suite, browser, prompt="none") == "login_required"


@pytest.mark.parametrize("hint", [False, True], ids=["prompt-none-logged-in", "id-token-hint"])
async def test_oidcc_prompt_none_logged_in(suite, alices, hint):
    tokens, first = await flow(suite, alices)

    _, second = await flow(suite, alices, prompt="none", id_token_hint=tokens["id_token"] if hint else None)

    assert (second["sub"], second["auth_time"]) == (first["sub"], first["auth_time"])


@pytest.mark.parametrize("seconds", [0, 30], ids=["codereuse", "codereuse-30seconds"])
async def test_oidcc_codereuse(suite, alices, clock, seconds):
    code = await suite.code(alices, scope="openid", **WITHOUT_PKCE)
    tokens = (await suite.exchange(code, code_verifier=None)).json()
    clock.forward(seconds=seconds)

    again = await suite.exchange(code, code_verifier=None)

    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await suite.get("/oauth/userinfo", tokens)).status_code == 401


async def test_oidcc_ensure_registered_redirect_uri(suite, alices):
    answer = await alices.get(suite.url(redirect_uri="https://rp.example/callback/random"))

    assert (answer.status_code, "location" in answer.headers) == (400, False)


async def test_oidcc_ensure_post_request_succeeds(suite, alices):
    form = dict(parse_qsl(urlsplit(suite.url(**WITHOUT_PKCE, scope="openid")).query))

    answer = await alices.client.post("/oauth/authorize", data=form)
    page = await alices.get(answer.headers["location"])

    assert "code" in answer_of(await alices.send(page, decision="allow"))


async def test_oidcc_server_client_secret_post(suite, alices):
    await flow(suite, alices, basic=False)


@pytest.mark.parametrize(
    ("parameter", "error"),
    [("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")],
    ids=["unsigned-request-object", "request-uri-unsigned"],
)
async def test_oidcc_supported_correctly_or_rejected_as_unsupported(suite, alices, parameter, error):
    metadata = (await suite.api.get("/.well-known/openid-configuration")).json()

    assert metadata[f"{parameter}_parameter_supported"] is False
    assert await error_of(suite, alices, **{parameter: "eyJhbGciOiJub25lIn0.e30."}) == error


async def test_oidcc_claims_essential(suite, alices):
    claims = json.dumps({"userinfo": {"name": {"essential": True}}})

    tokens, _ = await flow(suite, alices, claims=claims)

    assert (await userinfo(suite, tokens))["name"] == "Alice Liddell"


async def test_oidcc_ensure_request_object_with_redirect_uri(suite, alices):
    request = "eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJodHRwczovL3JwLmV4YW1wbGUvb3RoZXIifQ."

    assert await error_of(suite, alices, request=request) == "request_not_supported"


async def test_oidcc_refresh_token(suite, rival, alices):
    tokens, _ = await flow(suite, alices, "openid offline_access")

    foreign = await rival.refresh(tokens["refresh_token"])
    refreshed = await suite.refresh(tokens["refresh_token"])

    assert foreign.json()["error"] == "invalid_grant"
    assert refreshed.status_code == 200
    assert (await suite.get("/oauth/userinfo", refreshed.json())).status_code == 200


async def test_oidcc_ensure_request_with_valid_pkce_succeeds(suite, alices):
    answer = await suite.exchange(await suite.code(alices, scope="openid"))

    assert answer.status_code == 200


# Config OP: oidcc-config-certification-test-plan


async def test_oidcc_discovery_endpoint_verification(api):
    """With the former names OP-Discovery-Config, -JWKs, -claims_supported and -jwks_uri."""
    answer = await api.get("/.well-known/openid-configuration")
    found = answer.json()

    assert answer.headers["content-type"].startswith("application/json")
    assert found["issuer"] == ISSUER
    for name in ("authorization", "token", "userinfo"):
        assert found[f"{name}_endpoint"].startswith(f"{ISSUER}/")
    assert "openid" in found["scopes_supported"]
    assert "code" in found["response_types_supported"]
    assert found["subject_types_supported"] == ["public"]
    assert "RS256" in found["id_token_signing_alg_values_supported"]
    assert {"authorization_code", "refresh_token"} <= set(found["grant_types_supported"])
    assert {"client_secret_basic", "client_secret_post"} <= set(
        found["token_endpoint_auth_methods_supported"]
    )
    assert {"sub", "name", "email"} <= set(found["claims_supported"])
    assert found["claims_parameter_supported"] is True
    keys = (await api.get(urlsplit(found["jwks_uri"]).path)).json()["keys"]
    assert {(key["kty"], key["use"]) for key in keys} >= {("RSA", "sig"), ("EC", "sig")}
    assert len({key["kid"] for key in keys}) == len(keys)
    assert not any(key.keys() & {"d", "p", "q", "dp", "dq", "qi"} for key in keys)


# RP-Initiated Logout OP: oidcc-rp-initiated-logout-certification-test-plan


async def log_out(browser, **parameters):
    return await browser.get(f"/oauth/logout?{urlencode(parameters)}")


async def is_signed_in(suite, browser):
    return "code" in answer_of(await browser.get(suite.url(**WITHOUT_PKCE, scope="openid", prompt="none")))


async def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(api):
    found = (await api.get("/.well-known/openid-configuration")).json()

    assert found["end_session_endpoint"] == f"{ISSUER}/oauth/logout"


@pytest.mark.parametrize("state", ["a random state", None], ids=["state", "no-state"])
async def test_oidcc_rp_initiated_logout(suite, alices, state):
    hint = (await flow(suite, alices))[0]["id_token"]
    given = {"state": state} if state else {}

    answer = await log_out(alices, id_token_hint=hint, post_logout_redirect_uri=BYE, **given)

    assert answer.headers["location"] == (f"{BYE}?{urlencode(given)}" if given else BYE)
    assert not await is_signed_in(suite, alices)


@pytest.mark.parametrize(
    "change",
    [
        {"post_logout_redirect_uri": "https://rp.example/other"},
        {"post_logout_redirect_uri": f"{BYE}?foo=bar"},
        {"id_token_hint": "random-string"},
        {"id_token_hint": None},
    ],
    ids=[
        "bad-post-logout-redirect-uri",
        "query-added-to-post-logout-redirect-uri",
        "bad-id-token-hint",
        "modified-id-token-hint",
    ],
)
async def test_oidcc_rp_initiated_logout_without_redirect(suite, alices, change):
    hint = (await flow(suite, alices))[0]["id_token"]
    modified = hint[:-10] + hint[-10:][::-1]
    sent = {"id_token_hint": hint, "post_logout_redirect_uri": BYE, "state": "x", **change}

    answer = await log_out(alices, **{**sent, "id_token_hint": sent["id_token_hint"] or modified})

    assert (answer.status_code, "location" in answer.headers) == (400, False)


@pytest.mark.parametrize(
    "parameters",
    [{"post_logout_redirect_uri": BYE, "state": "x"}, {}, {"state": "x"}],
    ids=["no-id-token-hint", "no-params", "only-state"],
)
async def test_oidcc_rp_initiated_logout_asks(suite, alices, parameters):
    await flow(suite, alices)

    page = await log_out(alices, **parameters)
    answer = await alices.send(page, decision="sign-out")

    assert page.status_code == 200
    assert "location" not in answer.headers
    assert not await is_signed_in(suite, alices)


async def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(suite, alices):
    hint = (await flow(suite, alices))[0]["id_token"]

    answer = await log_out(alices, id_token_hint=hint, state="x")

    assert "location" not in answer.headers
    assert not await is_signed_in(suite, alices)
