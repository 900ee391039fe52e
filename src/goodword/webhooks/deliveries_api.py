"""API of webhook deliveries: the log, replays and test events."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from goodword.api_keys.auth import WebhooksReader, WebhooksWriter
from goodword.services import services_of
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.idempotency import Answer, IdempotentWriteDependency, KeyInUse, KeyReused
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems
from goodword.web.paging import Cursor, CursorInvalid, Limit
from goodword.web.schemas import Input
from goodword.webhooks import deliveries
from goodword.webhooks.models import DeliveryStatus
from goodword.webhooks.schemas import (
    WebhookAttemptRead,
    WebhookDeliveryDetails,
    WebhookDeliveryList,
    WebhookDeliveryRead,
    WebhookReplay,
    WebhookReplayed,
)
from goodword.webhooks.service import EndpointNotFound

EndpointId = Annotated[uuid.UUID, Path(description="The `id` of the endpoint.")]
DeliveryId = Annotated[uuid.UUID, Path(description="The `id` of the delivery.")]
NO_ENDPOINT = (EndpointNotFound, deliveries.EndpointDisabled)

router = APIRouter(prefix="/api/v1", tags=["Webhooks"], route_class=JsonRoute)


@router.get(
    "/webhook-endpoints/{endpoint_id}/deliveries",
    summary="List the deliveries to a webhook endpoint",
    responses=problems(EndpointNotFound, CursorInvalid),
)
async def list_webhook_deliveries(
    endpoint_id: EndpointId,
    request: Request,
    caller: WebhooksReader,
    reader: Reader,
    status: Annotated[DeliveryStatus | None, Query(description="Only deliveries with this status.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> WebhookDeliveryList:
    """Return the deliveries of the last 30 days, newest first."""
    cursors, name = services_of(request).cursors, f"webhook deliveries {endpoint_id} {status}"
    found = await deliveries.list_deliveries(
        reader,
        endpoint_id,
        within=caller.program_id,
        status=status,
        after=cursors.read(cursor, of=name),
        limit=limit,
    )
    rows, following = cursors.cut(found, limit, of=name)
    items = [WebhookDeliveryRead.model_validate(row) for row in rows]
    return WebhookDeliveryList(items=items, next_cursor=following)


@router.post(
    "/webhook-endpoints/{endpoint_id}/test",
    summary="Send a test event",
    status_code=201,
    response_model=WebhookDeliveryRead,
    responses=problems(*NO_ENDPOINT, KeyReused, KeyInUse),
)
async def send_test_webhook(
    endpoint_id: EndpointId,
    caller: WebhooksWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Send an event of the kind `webhook.test`, whatever kinds the endpoint gets. The delivery log shows the outcome."""

    async def effect(_: None) -> Answer:
        delivery = await deliveries.send_test(session, endpoint_id, within=caller.program_id, now=clock())
        return Answer(WebhookDeliveryRead.model_validate(delivery))

    return await once.run(session, Input(), caller=caller.caller, effect=effect)


@router.post(
    "/webhook-endpoints/{endpoint_id}/replay",
    summary="Replay a range of deliveries",
    response_model=WebhookReplayed,
    responses=problems(*NO_ENDPOINT, KeyReused, KeyInUse),
)
async def replay_webhook_deliveries(
    endpoint_id: EndpointId,
    body: WebhookReplay,
    caller: WebhooksWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Send the events of a time again, the oldest first, with the same `webhook-id`. At most 10,000 in one call."""

    async def effect(_: None) -> Answer:
        now = clock()
        count, following = await deliveries.replay_range(
            session,
            endpoint_id,
            since=body.since,
            until=body.until or now,
            only_failed=body.only_failed,
            within=caller.program_id,
            now=now,
        )
        return Answer(WebhookReplayed(deliveries=count, continue_since=following), status=200)

    return await once.run(session, body, caller=caller.caller, effect=effect)


@router.get(
    "/webhook-deliveries/{delivery_id}",
    summary="Get a webhook delivery",
    responses=problems(deliveries.DeliveryNotFound),
)
async def get_webhook_delivery(
    delivery_id: DeliveryId, caller: WebhooksReader, reader: Reader
) -> WebhookDeliveryDetails:
    """Return a delivery with its body and its attempts."""
    delivery = await deliveries.get(reader, delivery_id, within=caller.program_id)
    attempts = await deliveries.list_attempts(reader, delivery.id)
    return WebhookDeliveryDetails(
        **WebhookDeliveryRead.model_validate(delivery).model_dump(),
        body=await deliveries.read_body(reader, delivery),
        attempts=[WebhookAttemptRead.model_validate(one) for one in attempts],
    )


@router.post(
    "/webhook-deliveries/{delivery_id}/replay",
    summary="Replay a webhook delivery",
    response_model=WebhookDeliveryRead,
    responses=problems(deliveries.DeliveryNotFound, deliveries.EndpointDisabled, KeyReused, KeyInUse),
)
async def replay_webhook_delivery(
    delivery_id: DeliveryId,
    caller: WebhooksWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Send an event again, with all attempts of the schedule and the same `webhook-id`."""

    async def effect(_: None) -> Answer:
        delivery = await deliveries.replay(session, delivery_id, within=caller.program_id, now=clock())
        return Answer(WebhookDeliveryRead.model_validate(delivery), status=200)

    return await once.run(session, Input(), caller=caller.caller, effect=effect)
