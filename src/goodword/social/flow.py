"""The state of a sign-in with a provider, in an encrypted cookie."""

import base64
import binascii
import hmac
import json
import secrets
import zlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from fastapi import Request, Response

from goodword.crypto import WrongSecret, decrypt, encrypt
from goodword.social.errors import NextTooLong, StateInvalid
from goodword.web.cookies import OwnCookie

LIFETIME = timedelta(minutes=10)
ABOUT = b"sign-in under way"
MAX_COOKIE = 4096
"""Bytes of a cookie's name and value that browsers keep."""


@dataclass(frozen=True, slots=True)
class Flow:
    provider: str
    state: str
    nonce: str
    verifier: str
    referral_code: str | None
    next: str
    began_at: float

    def is_in_time(self, now: datetime) -> bool:
        return timedelta(0) <= now - datetime.fromtimestamp(self.began_at, UTC) < LIFETIME


def begin(provider: str, *, referral_code: str | None, next_page: str, now: datetime) -> Flow:
    """Return a new flow with random `state`, `nonce` and code verifier (RFC 7636 §4.1)."""
    return Flow(
        provider=provider,
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        referral_code=referral_code,
        next=next_page,
        began_at=now.timestamp(),
    )


class FlowCookie:
    """Holds the flow in the browser that started it (RFC 9700 §4.7.1).

    The cookie is encrypted because it holds the verifier, and `Lax` because the provider redirects back to here.
    """

    def __init__(self, key: bytes, public_url: str) -> None:
        self._key = key
        self._cookie = OwnCookie("goodword-flow", public_url)

    def write(self, response: Response, flow: Flow) -> None:
        """Set the cookie that holds the flow. Raises `NextTooLong`."""
        packed = zlib.compress(json.dumps(asdict(flow), ensure_ascii=False).encode(), 9)
        value = base64.urlsafe_b64encode(encrypt(self._key, packed, about=ABOUT)).decode()
        if len(self._cookie.name) + len(value) > MAX_COOKIE:
            raise NextTooLong
        self._cookie.write(response, value, max_age=int(LIFETIME.total_seconds()))

    def clear(self, response: Response) -> None:
        self._cookie.clear(response)

    def referral_code(self, request: Request, *, now: datetime) -> str | None:
        """Return the referral code of the sign-in that this browser started last, in another tab perhaps."""
        try:
            flow = self._open(request)
        except StateInvalid:
            return None
        return flow.referral_code if flow.is_in_time(now) else None

    def read(self, request: Request, *, provider: str, state: str, now: datetime) -> Flow:
        """Return the flow that this browser started with this provider and `state`. Raises `StateInvalid`."""
        flow = self._open(request)
        known = hmac.compare_digest(flow.state.encode(), state.encode())
        if not known or flow.provider != provider or not flow.is_in_time(now):
            raise StateInvalid
        return flow

    def _open(self, request: Request) -> Flow:
        try:
            sealed = base64.b64decode(self._cookie.read(request), altchars=b"-_", validate=True)
            return Flow(**json.loads(zlib.decompress(decrypt(self._key, sealed, about=ABOUT))))
        except (binascii.Error, zlib.error, ValueError, TypeError, WrongSecret):
            raise StateInvalid from None
