"""A client for Goodword, a self-hosted referral service.

from goodword_client import Goodword, models

with Goodword("https://goodword.example", "gwk_…") as goodword:
    goodword.upsert_participant("user-42", models.ParticipantWrite(email="alice@example.com"))
"""

from goodword_client import errors, webhooks
from goodword_client._calls import Retries
from goodword_client.client import AsyncGoodword, Goodword
from goodword_client.generated import error_codes as codes, models

__all__ = ["AsyncGoodword", "Goodword", "Retries", "codes", "errors", "models", "webhooks"]
