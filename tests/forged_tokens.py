"""Access tokens taken apart and put together again, with or without our key."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from fastapi import FastAPI
from httpx2 import AsyncClient
from joserfc.jwk import ECKey

BARE = 'Bearer realm="goodword"'
INVALID = f'{BARE}, error="invalid_token"'


def encode(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Header, claims and signature."""
    header, claims, signature = token.split(".")
    return (*(json.loads(base64.urlsafe_b64decode(part + "==")) for part in (header, claims)), signature)


def signed_by(key: ECKey, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """With ES256 and by hand: a library would refuse to write some of these headers."""
    text = f"{encode(header)}.{encode(claims)}"
    r, s = decode_dss_signature(key.private_key.sign(text.encode(), ECDSA(SHA256())))
    return f"{text}.{encode(r.to_bytes(32) + s.to_bytes(32))}"


def signed_anew(app: FastAPI, token: str, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token with other claims, or without those that are None, signed by the service's own key."""
    old_header, old_claims, _ = parts_of(token)
    values = {name: value for name, value in (old_claims | claims).items() if value is not None}
    return signed_by(
        app.state.services.signing_keys.signing_key("ES256"), old_header | (header or {}), values
    )


async def challenge(api: AsyncClient, authorization: str | bytes | None) -> str:
    """What an Authorization header is refused with."""
    headers: dict[Any, Any] = {} if authorization is None else {"Authorization": authorization}
    answer = await api.get("/api/v1/me", headers=headers)
    assert answer.status_code == 401, answer.text
    assert answer.json()["code"] == (
        "unauthorized" if answer.headers["www-authenticate"] == BARE else "invalid_token"
    )
    return answer.headers["www-authenticate"]
