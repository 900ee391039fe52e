"""Access tokens that somebody made or changed: 401, whatever they say."""

import hashlib
import hmac
import json
import uuid

import pytest
from joserfc.jwk import ECKey

from forged_tokens import INVALID, challenge, encode, parts_of, signed_anew, signed_by

pytestmark = pytest.mark.one_database

ME = "/api/v1/me"


@pytest.fixture
def token(alice):
    return alice.tokens["access_token"]


async def test_token_signed_again_with_our_key_is_accepted(alice, app, token):
    headers = {"Authorization": f"Bearer {signed_anew(app, token)}"}

    assert (await alice.api.get(ME, headers=headers)).json() == alice.account


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_parts_of_two_tokens_are_refused(alice, mallory, token, part):
    pieces, theirs = token.split("."), mallory.tokens["access_token"].split(".")
    pieces[part] = theirs[part] if part else encode({"alg": "ES256", "typ": "at+jwt", "kid": "x"})

    assert await challenge(alice.api, f"Bearer {'.'.join(pieces)}") == INVALID


@pytest.mark.parametrize("changed", [{"sub": str(uuid.uuid4())}, {"scope": "admin"}, {"exp": 9_999_999_999}])
async def test_a_tampered_payload_is_refused(alice, token, changed):
    header, claims, signature = parts_of(token)
    forged = f"{encode(header)}.{encode(claims | changed)}.{signature}"

    assert await challenge(alice.api, f"Bearer {forged}") == INVALID


@pytest.mark.parametrize("place", [0, 10, 42, 43, 60, 80])
async def test_a_tampered_signature_is_refused(alice, token, place):
    signed, _, signature = token.rpartition(".")
    letters = list(signature)
    letters[place] = "A" if letters[place] != "A" else "B"

    assert await challenge(alice.api, f"Bearer {signed}.{''.join(letters)}") == INVALID


@pytest.mark.parametrize("signature", ["", "AA", "A" * 85, "A" * 86, "A" * 200], ids=len)
async def test_a_signature_of_nothing_is_refused(alice, token, signature):
    signed, _, _ = token.rpartition(".")

    assert await challenge(alice.api, f"Bearer {signed}.{signature}") == INVALID


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "nOnE", "", "ES384", "RS256", "EdDSA", None, 1, ["ES256"]], ids=str
)
async def test_another_algorithm_is_refused(alice, token, algorithm):
    header, claims, signature = parts_of(token)

    for ending in ("", signature):
        forged = f"{encode(header | {'alg': algorithm})}.{encode(claims)}.{ending}"
        assert await challenge(alice.api, f"Bearer {forged}") == INVALID


SHOWN = {
    "pem": lambda key: key.as_pem(private=False),
    "der": lambda key: key.as_der(private=False),
    "jwk": lambda key: json.dumps(key.as_dict(private=False)).encode(),
}


@pytest.mark.parametrize("form", SHOWN)
async def test_public_key_as_hmac_key_is_refused(alice, app, token, form):
    header, claims, _ = parts_of(token)
    signed = f"{encode(header | {'alg': 'HS256'})}.{encode(claims)}"
    signature = hmac.digest(
        SHOWN[form](app.state.services.signing_keys.signing_key("ES256")), signed.encode(), hashlib.sha256
    )

    assert await challenge(alice.api, f"Bearer {signed}.{encode(signature)}") == INVALID


async def test_foreign_key_with_our_kid_is_refused(alice, token):
    header, claims, _ = parts_of(token)
    forged = signed_by(ECKey.generate_key("P-256"), header, claims)

    assert await challenge(alice.api, f"Bearer {forged}") == INVALID


KIDS = [
    str(uuid.uuid4()),
    "",
    "../../dev/null",
    "' OR 1=1 --",
    "http://evil.example",
    "x" * 2000,
    None,
    1,
    [],
    {},
]


@pytest.mark.parametrize("kid", KIDS, ids=range(len(KIDS)))
async def test_unknown_kid_is_refused(alice, token, kid):
    header, claims, _ = parts_of(token)
    forged = signed_by(ECKey.generate_key("P-256"), header, claims)
    forged = ".".join([encode(header | {"kid": kid}), *forged.split(".")[1:]])

    assert await challenge(alice.api, f"Bearer {forged}") == INVALID


async def test_a_key_inside_the_token_is_not_used(alice, token):
    own = ECKey.generate_key("P-256")
    header, claims, _ = parts_of(token)
    header |= {"jwk": own.as_dict(private=False), "jku": "http://evil.example", "x5u": "http://evil.example"}

    assert await challenge(alice.api, f"Bearer {signed_by(own, header, claims)}") == INVALID


@pytest.mark.parametrize("extra", [{"crit": ["exp"]}, {"crit": ["b64"], "b64": False}, {"b64": False}])
async def test_unknown_critical_extension_is_refused(alice, app, token, extra):
    forged = signed_anew(app, token, extra)

    assert await challenge(alice.api, f"Bearer {forged}") == INVALID


@pytest.mark.parametrize("kind", ["JWT", "at+jws", "id+jwt", "", "jwt", "at+jwt "])
async def test_another_kind_of_token_is_refused(alice, app, token, kind):
    forged = signed_anew(app, token, {"typ": kind})

    assert await challenge(alice.api, f"Bearer {forged}") == INVALID


WRONG_CLAIMS = {
    "another issuer": {"iss": "http://evil.example"},
    "another audience": {"aud": "http://evil.example"},
    "no session": {"sid": None},
    "another session": {"sid": str(uuid.uuid4())},
    "a session that is none": {"sid": "x"},
    "no subject": {"sub": None},
    "a subject that is none": {"sub": 1},
    "no end": {"exp": None},
    "an end that is no number": {"exp": "tomorrow"},
    "no scope": {"scope": None},
    "a scope that is no text": {"scope": ["profile"]},
    "no client": {"client_id": None},
}


@pytest.mark.parametrize("claims", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
async def test_wrong_claims_are_refused_although_signed_by_us(alice, app, token, claims):
    forged = signed_anew(app, token, **claims)

    assert await challenge(alice.api, f"Bearer {forged}") == INVALID
