"""Who may read `/metrics`: with METRICS_TOKEN its bearer, and otherwise this machine."""

import hmac
from collections.abc import Mapping

from goodword.config.settings import Settings
from goodword.errors import AppError, Forbidden, NotFound, Unauthorized
from goodword.ip_address import read_address


class MetricsTokenInvalid(Forbidden):
    code, detail = "metrics_token_invalid", "This is not the token in METRICS_TOKEN."


def refusal(settings: Settings, peer: str, headers: Mapping[str, str]) -> AppError | None:
    """Return the error to answer with, or None. The names of `headers` are in lower case."""
    if settings.metrics_token is None:
        address = read_address(peer)
        is_forwarded = any(
            name in ("forwarded", "via") or name.startswith("x-forwarded-") for name in headers
        )
        return None if address and address.is_loopback and not is_forwarded else NotFound()
    given = headers.get("authorization")
    if given is None:
        return Unauthorized()
    scheme, _, token = given.partition(" ")
    expected = settings.metrics_token.get_secret_value().encode()
    if scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), expected):
        return None
    return MetricsTokenInvalid()
