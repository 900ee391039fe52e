"""Choose the deliveries that are sent together, and build their requests."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.statements import one_of
from goodword.services import Services
from goodword.users.models import User
from goodword.webhooks import signing
from goodword.webhooks.models import PENDING, WebhookDelivery, WebhookEndpoint, WebhookEvent

ROUND = 64
"""Messages whose outcomes one transaction records."""
PEOPLE = ("user", "owner", "referrer", "referee", "participant")
"""The fields of `data` that name a person."""


class Message(NamedTuple):
    """A request that is to be sent."""

    delivery_id: uuid.UUID
    attempt: int
    """Its number, from 1."""
    url: str
    body: bytes
    headers: Mapping[str, str]


async def next_round(
    session: AsyncSession, services: Services, endpoint: WebhookEndpoint, *, now: datetime
) -> Sequence[Message]:
    """Return the messages that are due, the oldest first, at most one about each object: their order counts."""
    rows = (await session.execute(_DUE, {"endpoint_id": endpoint.id, "now": now})).all()
    first: dict[uuid.UUID, Any] = {}
    for row in rows:
        first.setdefault(row.object_id, row)
    chosen = list(first.values())[:ROUND]
    bodies = await build_bodies(session, chosen)
    secrets = _secrets(services, endpoint, now)
    return [_message(endpoint.url, row, body, secrets, now) for row, body in zip(chosen, bodies, strict=True)]


def _secrets(services: Services, endpoint: WebhookEndpoint, now: datetime) -> Sequence[str]:
    """Return the secrets that sign now: the current one, and the previous one for a time."""
    sealed = [endpoint.secret]
    if endpoint.previous_valid_until is not None and now < endpoint.previous_valid_until:
        sealed.append(endpoint.previous_secret)
    key = services.keys.webhook_secrets
    return [signing.unseal(key, one, endpoint.id) for one in sealed if one is not None]


async def build_bodies(session: AsyncSession, rows: Sequence[Row[Any]]) -> Sequence[str]:
    """Return the bodies of events, with the external ids that people have now."""
    contents = [json.loads(row.data) for row in rows]
    external_ids = await _external_ids(session, contents)
    for data in contents:
        for name in PEOPLE:
            if name in data:
                data[name]["external_id"] = external_ids.get(data[name]["id"])
    return [
        json.dumps(
            {
                "type": row.kind,
                "timestamp": row.happened_at.isoformat().replace("+00:00", "Z"),
                "sequence": row.sequence,
                "data": data,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )
        for row, data in zip(rows, contents, strict=True)
    ]


async def _external_ids(
    session: AsyncSession, contents: Iterable[Mapping[str, Any]]
) -> Mapping[str, str | None]:
    ids = {data[name]["id"] for data in contents for name in PEOPLE if name in data}
    if not ids:
        return {}
    known = one_of(session, User.id, [uuid.UUID(one) for one in sorted(ids)])
    rows = await session.execute(select(User.id, User.external_id).where(known))
    return {str(row.id): row.external_id for row in rows}


def _message(url: str, row: Row[Any], body: str, secrets: Sequence[str], now: datetime) -> Message:
    headers = signing.signed_headers(secrets, webhook_id=str(row.event_id), body=body, now=now)
    headers |= {"content-type": "application/json", "user-agent": "Goodword-Webhooks"}
    return Message(row.id, row.attempt + 1, url, body.encode(), headers)


_DUE = (
    select(
        WebhookDelivery.id,
        WebhookDelivery.attempt,
        WebhookDelivery.event_id,
        WebhookEvent.kind,
        WebhookEvent.object_id,
        WebhookEvent.sequence,
        WebhookEvent.data,
        WebhookEvent.created_at.label("happened_at"),
    )
    .join(WebhookEvent, WebhookEvent.id == WebhookDelivery.event_id)
    .where(
        WebhookDelivery.endpoint_id == bindparam("endpoint_id"),
        literal_column(f"webhook_deliveries.{PENDING}"),  # as the partial index has it
        WebhookDelivery.next_attempt_at <= bindparam("now", type_=WebhookDelivery.created_at.type),
    )
    .order_by(WebhookDelivery.next_attempt_at, WebhookDelivery.id)
    .limit(2 * ROUND)
)
