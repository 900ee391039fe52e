"""Webhooks: verify the signature of a request of the service, and read its event (Standard Webhooks)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from goodword_client.errors import WebhookRefused


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """An event. `id` is the same in each delivery; `sequence` is the order of the events of one object."""

    id: str
    type: str
    timestamp: datetime
    sequence: int
    data: dict[str, Any]


def verify(body: bytes | str, headers: Mapping[str, str], *secrets: str) -> WebhookEvent:
    """Return the event of a request whose signature is of one of the secrets (`whsec_…`), not older than 5 minutes.

    `body` is as it was received. Give both secrets while one is being rotated. Raises `WebhookRefused`.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    for secret in secrets:
        try:
            found = Webhook(secret).verify(body, lower)
        except (WebhookVerificationError, ValueError):
            continue
        return _event(found, lower["webhook-id"])
    raise WebhookRefused("The signature is not of this secret, or too old.")


def _event(found: Any, identifier: str) -> WebhookEvent:
    try:
        timestamp = datetime.fromisoformat(found["timestamp"])
        return WebhookEvent(identifier, found["type"], timestamp, found["sequence"], found["data"])
    except (KeyError, TypeError, ValueError):
        raise WebhookRefused("The body is not an event of Goodword.") from None
