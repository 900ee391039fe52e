"""The log of deliveries: list them, read one, replay one or a range, and send a test event."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.db.keyset import Position, keyset_page
from goodword.db.transaction_hooks import insert_now
from goodword.errors import Conflict, NotFound
from goodword.webhooks import rounds, service, writing
from goodword.webhooks.kinds import TEST
from goodword.webhooks.models import (
    DeliveryStatus,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)

MAX_REPLAYED = 10_000


class DeliveryNotFound(NotFound):
    code, detail = "webhook_delivery_not_found", "There is no webhook delivery with this id."


class EndpointDisabled(Conflict):
    code = "webhook_endpoint_disabled"
    detail = "The webhook endpoint is disabled. Enable it first."


async def list_deliveries(
    session: AsyncSession,
    endpoint_id: uuid.UUID,
    *,
    within: uuid.UUID | None,
    status: DeliveryStatus | None,
    after: Position | None,
    limit: int,
) -> Sequence[WebhookDelivery]:
    """Return deliveries to an endpoint, newest first, and one more than `limit` if there are more.

    Raises `EndpointNotFound`.
    """
    await service.get(session, endpoint_id, within=within)
    query = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint_id)
    if status is not None:
        query = query.where(WebhookDelivery.status == status)
    place = (WebhookDelivery.created_at, WebhookDelivery.id)
    return (await session.scalars(keyset_page(query, place, after=after, limit=limit))).all()


async def get(session: AsyncSession, delivery_id: uuid.UUID, *, within: uuid.UUID | None) -> WebhookDelivery:
    """Return a delivery. Raises `DeliveryNotFound`, also for that of another program than `within`."""
    delivery = await session.scalar(_visible(within).where(WebhookDelivery.id == delivery_id))
    if delivery is None:
        raise DeliveryNotFound
    return delivery


async def read_body(session: AsyncSession, delivery: WebhookDelivery) -> str:
    """Return the body as it would be sent now."""
    row: Any = (await session.execute(_EVENT.where(WebhookEvent.id == delivery.event_id))).one()
    return (await rounds.build_bodies(session, [row]))[0]


async def list_attempts(session: AsyncSession, delivery_id: uuid.UUID) -> Sequence[WebhookAttempt]:
    """Return the attempts of a delivery, the newest first, at most 100."""
    query = select(WebhookAttempt).where(WebhookAttempt.delivery_id == delivery_id)
    query = query.order_by(WebhookAttempt.created_at.desc(), WebhookAttempt.id.desc())
    return (await session.scalars(query.limit(100))).all()


async def replay(
    session: AsyncSession, delivery_id: uuid.UUID, *, within: uuid.UUID | None, now: datetime
) -> WebhookDelivery:
    """Send a delivery again, with all attempts and the same `webhook-id`.

    Raises `DeliveryNotFound` and `EndpointDisabled`.
    """
    found = await get(session, delivery_id, within=within)
    endpoint = await _lock_enabled(session, found.endpoint_id, within)
    delivery = await session.get_one(
        WebhookDelivery, delivery_id, with_for_update=True, populate_existing=True
    )
    delivery.status, delivery.attempt, delivery.next_attempt_at = DeliveryStatus.PENDING, 0, now
    await session.flush()
    writing.enqueue(session, endpoint.id, now=now)
    record(session, Action.WEBHOOK_REPLAYED, Subject.WEBHOOK_ENDPOINT, endpoint.id, deliveries=1)
    return delivery


async def replay_range(
    session: AsyncSession,
    endpoint_id: uuid.UUID,
    *,
    since: datetime,
    until: datetime,
    only_failed: bool,
    within: uuid.UUID | None,
    now: datetime,
) -> tuple[int, datetime | None]:
    """Send the deliveries of events from `since` until before `until` again, the oldest first, at most `MAX_REPLAYED`.

    Return how many, and the time at which to continue if there are more. Of two callers at once, the second one finds
    the deliveries of the first one waiting, and does not count them. Raises `EndpointNotFound` and `EndpointDisabled`.
    """
    endpoint = await _lock_enabled(session, endpoint_id, within)
    query = select(WebhookDelivery.id, WebhookDelivery.created_at).where(
        WebhookDelivery.endpoint_id == endpoint.id,
        WebhookDelivery.created_at >= since,
        WebhookDelivery.created_at < until,
        WebhookDelivery.status.in_(_REPLAYED[only_failed]),
    )
    query = query.order_by(WebhookDelivery.created_at, WebhookDelivery.id).limit(MAX_REPLAYED + 1)
    rows = (await session.execute(query)).all()
    chosen = rows[:MAX_REPLAYED]
    await session.execute(
        update(WebhookDelivery)
        .where(WebhookDelivery.id.in_(query.with_only_columns(WebhookDelivery.id).limit(MAX_REPLAYED)))
        .values(status=DeliveryStatus.PENDING, attempt=0, next_attempt_at=now)
        .execution_options(synchronize_session=False)
    )
    if chosen:
        writing.enqueue(session, endpoint.id, now=now)
        count = len(chosen)
        record(session, Action.WEBHOOK_REPLAYED, Subject.WEBHOOK_ENDPOINT, endpoint.id, deliveries=count)
    return len(chosen), rows[MAX_REPLAYED].created_at if len(rows) > MAX_REPLAYED else None


async def send_test(
    session: AsyncSession, endpoint_id: uuid.UUID, *, within: uuid.UUID | None, now: datetime
) -> WebhookDelivery:
    """Send a test event to an endpoint. Raises `EndpointNotFound` and `EndpointDisabled`."""
    endpoint = await _lock_enabled(session, endpoint_id, within)
    data = {"endpoint_id": str(endpoint.id)}
    event_id = await writing.insert(
        session, TEST, endpoint.id, data, [endpoint.id], program_id=endpoint.program_id, now=now
    )
    await insert_now(session)
    record(session, Action.WEBHOOK_TESTED, Subject.WEBHOOK_ENDPOINT, endpoint.id)
    query = select(WebhookDelivery).where(WebhookDelivery.event_id == event_id)
    return (await session.scalars(query)).one()


async def _lock_enabled(
    session: AsyncSession, endpoint_id: uuid.UUID, within: uuid.UUID | None
) -> WebhookEndpoint:
    """Return an endpoint with its lock, which replays and the jobs that send take one after the other."""
    endpoint = await service.get(session, endpoint_id, within=within, lock=True)
    if not endpoint.is_enabled:
        raise EndpointDisabled
    return endpoint


def _visible(within: uuid.UUID | None) -> Select[WebhookDelivery]:
    endpoints = select(WebhookEndpoint.id).where(WebhookEndpoint.deleted_at.is_(None))
    if within is not None:
        endpoints = endpoints.where(WebhookEndpoint.program_id == within)
    return select(WebhookDelivery).where(WebhookDelivery.endpoint_id.in_(endpoints))


_REPLAYED = {
    True: (DeliveryStatus.FAILED.value,),
    False: (DeliveryStatus.FAILED.value, DeliveryStatus.SUCCEEDED.value),
}
"""What waits is sent anyway."""
_EVENT = select(
    WebhookEvent.kind,
    WebhookEvent.sequence,
    WebhookEvent.data,
    WebhookEvent.created_at.label("happened_at"),
)
