"""An ID token that does not hold in every respect signs nobody in (D16)."""

import base64
import hmac
import json

import pytest
from joserfc.jwk import ECKey

from social.browser import assert_refused, leave, sign_in
from social.provider import CLIENT_ID, FREE_KEY, KEY, OTHER_KEY, endless, jwk, secret_key, text

pytestmark = pytest.mark.one_database

USERS = "SELECT email, verified_at IS NOT NULL FROM users"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another app"},
        {"aud": None},
        {"aud": ["another app", "a third"]},
        {"aud": [CLIENT_ID, "another app"]},  # several, and no `azp` says that it is meant for us
        {"aud": [CLIENT_ID, "another app"], "azp": "another app"},
        {"azp": "another app"},
        {"aud": 5},
        {"aud": []},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"iss": ["x"]},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"nonce": ""},
        {"nonce": {}},
        {"exp": 1},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"iat": None},
        {"iat": 9_999_999_999},
        {"nbf": 9_999_999_999},
        {"sub": None},
        {"sub": ""},
        {"sub": 42},
        {"sub": "x" * 256},
        {"sub": "nul\x00"},
        {"sub": "ключ"},
    ],
    ids=str,
)
async def test_wrong_claims_are_refused(api, provider, rows, claims):
    provider.claims = claims

    assert_refused(await sign_in(api, provider), 400, "sign_in_failed")
    assert await rows(USERS) == []


async def test_a_token_for_several_is_good_if_it_was_made_for_us(api, provider):
    provider.claims = {"aud": ["another app", CLIENT_ID], "azp": CLIENT_ID}

    assert (await sign_in(api, provider)).status_code == 303


@pytest.mark.parametrize(
    ("header", "signer"),
    [
        ({"alg": "HS256"}, secret_key()),
        ({"alg": "none"}, KEY),
        ({"alg": "none", "kid": None}, KEY),
        ({}, OTHER_KEY),
        ({"alg": "ES256"}, ECKey.generate_key("P-256")),
        ({"alg": "PS256"}, FREE_KEY),  # the key is published for RS256
        ({"kid": "second"}, OTHER_KEY),
        ({"kid": "x" * 300}, KEY),
        ({"crit": ["exp"], "exp": 1}, KEY),
        ({"jku": "http://127.0.0.1/jwks", "kid": "third"}, OTHER_KEY),
        ({"jwk": jwk(OTHER_KEY), "kid": "third"}, OTHER_KEY),
    ],
    ids=[
        "our secret",
        "unsigned",
        "unsigned, unnamed",
        "another key",
        "another kind of key",
        "another algorithm",
        "unpublished",
        "long kid",
        "crit",
        "jku",
        "jwk",
    ],
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_wrong_signatures_are_refused(api, provider, rows, header, signer):
    provider.header, provider.signer = header, signer

    assert_refused(await sign_in(api, provider), 400, "sign_in_failed")
    assert await rows(USERS) == []


async def test_provider_key_as_hmac_key_is_refused(api, provider):
    """The oldest trick: everybody has the key that RS256 is checked with."""
    back = await leave(api, provider)
    good = provider.id_token(provider.seen[0]["nonce"])
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"first"}').rstrip(b"=")
    message = header + b"." + good.split(".")[1].encode()
    tag = base64.urlsafe_b64encode(hmac.digest(KEY.as_pem(private=False), message, "sha256")).rstrip(b"=")
    answer = {"access_token": "x", "token_type": "Bearer", "id_token": (message + b"." + tag).decode()}
    provider.answers["/token"] = text(json.dumps(answer))

    assert_refused(await api.get(back), 400, "sign_in_failed")


async def test_client_secret_in_the_jwks_is_not_used_as_key(api, provider):
    provider.published.append(secret_key().as_dict(private=True) | {"kid": "secret"})
    provider.header, provider.signer = {"alg": "HS256", "kid": "secret"}, secret_key()
    provider.metadata = {"id_token_signing_alg_values_supported": ["HS256", "none"]}

    assert_refused(await sign_in(api, provider), 400, "sign_in_failed")


@pytest.mark.parametrize(
    "token", ["", "a.b.c", "a.b", "....", "é.é.é", "e30.e30.", 5, None, ["x"], "x" * 200_000]
)
async def test_malformed_id_token_is_refused(api, provider, token):
    provider.answers["/token"] = text(
        json.dumps({"access_token": "x", "token_type": "Bearer", "id_token": token})
    )

    assert_refused(await sign_in(api, provider), 400, "sign_in_failed")


async def test_broken_keys_beside_the_good_one_do_no_harm(api, provider):
    provider.published = [
        {"kty": "RSA", "kid": "first"},
        {"kty": "RSA", "n": 5, "e": []},
        {"kty": "AKP", "kid": "of tomorrow"},
        {"kty": "EC", "crv": "P-999", "x": "", "y": ""},
        {},
        "first",
        None,
        jwk(OTHER_KEY, use="enc"),
        *provider.published,
    ]

    assert (await sign_in(api, provider)).status_code == 303


async def test_a_new_key_is_fetched_when_it_is_used(api, provider, clock):
    await sign_in(api, provider)
    provider.published.append(jwk(OTHER_KEY))
    provider.header, provider.signer = {"kid": "second"}, OTHER_KEY
    clock.forward(seconds=61)

    assert (await sign_in(api, provider)).status_code == 303
    assert provider.asked["/jwks"] == 2


async def test_a_flood_of_unknown_keys_fetches_once_a_minute(api, provider, clock):
    await sign_in(api, provider)
    for number in range(10):
        provider.header = {"kid": f"unknown {number}"}
        assert_refused(await sign_in(api, provider), 400, "sign_in_failed")
    assert provider.asked["/jwks"] == 1

    clock.forward(seconds=61)
    for _ in range(5):
        assert_refused(await sign_in(api, provider), 400, "sign_in_failed")
    assert provider.asked["/jwks"] == 2


async def test_a_fetch_that_fails_counts_too(api, provider, clock):
    await sign_in(api, provider)
    clock.forward(seconds=61)
    provider.answers["/jwks"] = endless(1_000_000)
    provider.header = {"kid": "unknown"}

    assert_refused(await sign_in(api, provider), 503, "provider_unavailable")
    assert_refused(await sign_in(api, provider), 400, "sign_in_failed")
    provider.header = {}
    assert (await sign_in(api, provider)).status_code == 303, "the keys that we have stay good"


async def test_configuration_and_keys_are_kept_for_an_hour(api, provider, clock):
    for _ in range(3):
        await sign_in(api, provider)
    assert provider.asked["/jwks"] == provider.asked["/.well-known/openid-configuration"] == 1

    clock.forward(minutes=61)
    provider.claims = {"iat": clock().timestamp(), "exp": clock().timestamp() + 60}
    await sign_in(api, provider)
    assert provider.asked["/jwks"] == provider.asked["/.well-known/openid-configuration"] == 2


@pytest.mark.parametrize("said", [False, "true", "false", 1, None, [True], "True"], ids=repr)
async def test_only_true_verifies_an_address(api, provider, rows, said):
    provider.claims = {"email_verified": said}

    assert (await sign_in(api, provider)).status_code == 303
    assert await rows(USERS) == [("alice@example.com", 0)]
