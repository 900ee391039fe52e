"""The secrets of endpoints, and the signatures of Standard Webhooks."""

import base64
import os
import uuid
from collections.abc import Iterable
from datetime import datetime

from goodword.crypto import decrypt, encrypt

PREFIX = "whsec_"
SECRET_BYTES = 32


def generate_secret() -> str:
    return PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode()


def seal(key: bytes, secret: str, endpoint_id: uuid.UUID) -> bytes:
    """Encrypt a secret, bound to its endpoint."""
    return encrypt(key, secret.encode(), about=endpoint_id.bytes)


def unseal(key: bytes, sealed: bytes, endpoint_id: uuid.UUID) -> str:
    """Decrypt the result of `seal`. Raises `WrongSecret`."""
    return decrypt(key, sealed, about=endpoint_id.bytes).decode()


def signed_headers(secrets: Iterable[str], *, webhook_id: str, body: str, now: datetime) -> dict[str, str]:
    """Return the headers of a request, with a signature by each secret."""
    from standardwebhooks.webhooks import Webhook

    signatures = (Webhook(secret).sign(webhook_id, now, body) for secret in secrets)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
