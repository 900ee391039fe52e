"""The metadata and the keys, at the addresses where clients look for them."""

import re
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.one_database

ISSUER = "http://127.0.0.1:8000"


async def test_both_documents_say_the_same(api):
    one = await api.get("/.well-known/oauth-authorization-server")
    two = await api.get("/.well-known/openid-configuration")

    assert one.json() == two.json()
    assert one.json()["issuer"] == ISSUER
    assert "max-age" in one.headers["cache-control"]


async def test_only_what_is_current_practice_is_offered(api):
    found = (await api.get("/.well-known/oauth-authorization-server")).json()

    assert found["response_types_supported"] == ["code"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert "password" not in found["grant_types_supported"]
    assert found["id_token_signing_alg_values_supported"] == ["RS256", "ES256"]
    assert found["authorization_response_iss_parameter_supported"] is True


async def test_every_endpoint_is_there(api):
    found = (await api.get("/.well-known/openid-configuration")).json()

    for name, url in found.items():
        if name.endswith(("_endpoint", "_uri")):
            assert url.startswith(ISSUER)
            assert (await api.get(urlsplit(url).path)).status_code != 404


async def test_the_keys_are_public(api):
    answer = await api.get("/.well-known/jwks.json")

    keys = answer.json()["keys"]
    assert keys
    for key in keys:
        common = {"kty", "kid", "alg", "use"}
        if key["alg"] == "ES256":
            assert (key["kty"], key["crv"], key.keys() - common) == ("EC", "P-256", {"crv", "x", "y"})
        else:
            assert (key["kty"], key["alg"], key.keys() - common) == ("RSA", "RS256", {"n", "e"})
        assert key["use"] == "sig"
    assert {key["alg"] for key in keys} == {"ES256", "RS256"}
    assert not re.search(r'"[dpq]"\s*:', answer.text)
    assert "max-age" in answer.headers["cache-control"]
