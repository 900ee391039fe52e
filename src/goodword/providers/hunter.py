"""Hunter's e-mail verifier (hunter.io/api-documentation/v2)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from goodword.config.settings import Settings
from goodword.providers.circuit_breaker import RateLimit
from goodword.providers.models import Status
from goodword.providers.responses import Answer, Outcome, ask
from goodword.services import Services

NAME = "hunter"
VERIFIER = RateLimit("hunter verifier", interval=timedelta(milliseconds=250), burst=5)
"""Hunter allows 10 a second and 300 a minute. This makes 9 and 245 at most, which leaves room for delays."""
STATUSES = frozenset(Status) - {Status.RESTRICTED}
"""The statuses that Hunter returns. It reports a restricted address by HTTP status 451."""


def headers(settings: Settings) -> Mapping[str, str]:
    """Return the header with the key. In the URL it would be logged."""
    assert settings.hunter_api_key is not None, "the settings were checked"
    return {"X-API-KEY": settings.hunter_api_key.get_secret_value()}


async def verify(services: Services, email: str, *, timeout_seconds: float) -> Answer:
    """Return the `Status` of an address."""
    client, settings = services.http_client, services.settings
    url, params = f"{settings.hunter_url}/v2/email-verifier", {"email": email}
    answer = await ask(client, url, params=params, headers=headers(settings), budget=timeout_seconds)
    return _status(answer.value) if answer.outcome is Outcome.ANSWER else answer


def _status(body: Any) -> Answer:
    # The field `result` is deprecated, and less precise.
    data = body.get("data") if isinstance(body, dict) else None
    status = data.get("status") if isinstance(data, dict) else None
    if not isinstance(status, str):
        return Answer(Outcome.BROKEN)
    return Answer(Outcome.ANSWER, Status(status) if status in STATUSES else Status.UNKNOWN)
