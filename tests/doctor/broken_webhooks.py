"""Breaks of webhook endpoints."""

from typing import Any

from doctor.broken_data import ago
from doctor.patient import Patient
from goodword.db.statements import insert
from goodword.webhooks.models import WebhookEndpoint

URL = "https://acme.example/webhooks?token=a-secret-token"


async def failing_endpoint(patient: Patient) -> None:
    await _add(patient, failing_since=ago(hours=1, minutes=1))


async def disabled_endpoint(patient: Patient, reason: str = "gone") -> None:
    await _add(patient, status="disabled", disabled_reason=reason)


async def _add(patient: Patient, **values: Any) -> None:
    common = {"url": URL, "kinds": "user.created", "secret": b"sealed", "created_at": ago(days=1)}
    async with patient.transaction() as session:
        await insert(session, WebhookEndpoint, **common, **values)


CASES = [
    ("webhooks", "sqlite postgres", failing_endpoint),
    ("webhooks", "sqlite", disabled_endpoint),
]
