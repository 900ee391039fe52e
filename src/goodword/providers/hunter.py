"""Hunter's e-mail verifier (hunter.io/api-documentation/v2)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from goodword.config.settings import Settings
from goodword.http_client import OutboundClient
from goodword.providers.circuit_breaker import RateLimit
from goodword.providers.models import Status
from goodword.providers.responses import Answer, Outcome, ask

NAME = "hunter"
VERIFIER = RateLimit("hunter verifier", interval=timedelta(milliseconds=250), burst=5)
"""At most 10 a second and 300 a minute: with a burst of 5, any second has 9 at most, any minute 245, and one that is late on its way does no harm."""

WORDS = frozenset(Status) - {Status.RESTRICTED}
"""What it calls an address. Restricted is our word: it tells that by 451."""


def headers(settings: Settings) -> Mapping[str, str]:
    """The key goes in a header: addresses of requests are logged on their way."""
    assert settings.hunter_api_key is not None, "the settings were checked"
    return {"X-API-KEY": settings.hunter_api_key.get_secret_value()}


async def verify(outside: OutboundClient, settings: Settings, email: str, *, budget: float) -> Answer:
    """What Hunter knows of an address: a `Status`, if it answers."""
    finding = await ask(
        outside,
        f"{settings.hunter_url}/v2/email-verifier",
        params={"email": email},
        headers=headers(settings),
        budget=budget,
    )
    return _status(finding.what) if finding.said is Outcome.ANSWER else finding


def _status(body: Any) -> Answer:
    # Its `result` is deprecated, and coarser.
    data = body.get("data") if isinstance(body, dict) else None
    word = data.get("status") if isinstance(data, dict) else None
    if not isinstance(word, str):
        return Answer(Outcome.BROKEN)
    return Answer(Outcome.ANSWER, Status(word) if word in WORDS else Status.UNKNOWN)
