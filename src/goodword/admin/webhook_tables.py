"""The list of webhook deliveries for administrators: its statement, columns and search."""

import uuid

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.admin.listing import Column, Table
from goodword.admin.tables import Conditions
from goodword.languages import to_translate
from goodword.webhooks import service
from goodword.webhooks.kinds import TEST, WebhookKind
from goodword.webhooks.models import WebhookDelivery

DELIVERIES = Table(
    "webhook_deliveries",
    select(WebhookDelivery, WebhookDelivery.id.label("row_id")),
    WebhookDelivery.id,
    (
        Column("kind", to_translate("Event"), lambda row: row[0].kind, WebhookDelivery.kind),
        Column("status", to_translate("Status"), lambda row: row[0].status, WebhookDelivery.status),
        Column(
            "answer",
            to_translate("Answer"),
            lambda row: row[0].response_status or row[0].error,
            func.coalesce(WebhookDelivery.response_status, 0),
        ),
        Column(
            "attempts",
            to_translate("Attempts"),
            lambda row: row[0].attempt,
            WebhookDelivery.attempt,
            is_number=True,
        ),
        Column("next", to_translate("Next attempt"), lambda row: row[0].next_attempt_at),
        Column("created", to_translate("Time"), lambda row: row[0].created_at, WebhookDelivery.id),
        Column("duration", to_translate("Milliseconds"), lambda row: row[0].duration_ms, is_shown=False),
        Column("webhook", to_translate("webhook-id"), lambda row: row[0].event_id, is_shown=False),
        Column("id", to_translate("ID"), lambda row: row[0].id, is_shown=False),
    ),
    default="-created",
)


async def find_deliveries(
    session: AsyncSession, endpoint_id: uuid.UUID, *, text: str, event_id: uuid.UUID | None, status: str
) -> Conditions:
    """Return the condition for deliveries to an endpoint: of the event with this id, or of kinds that begin with the text.

    Raises `EndpointNotFound`.
    """
    await service.get(session, endpoint_id)
    narrow = [WebhookDelivery.endpoint_id == endpoint_id]
    filters = [WebhookDelivery.status == status] if status else []
    if event_id is not None:
        narrow.append(WebhookDelivery.event_id == event_id)
    elif text:
        kinds = [kind for kind in (*WebhookKind, TEST) if kind.startswith(text.lower())]
        filters.append(WebhookDelivery.kind.in_(kinds))
    return narrow, filters
