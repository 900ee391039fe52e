"""Record the outcomes of requests: the attempt, the next one, and whether the endpoint is disabled."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from sqlalchemy import bindparam, insert, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record as record_action
from goodword.db.statements import with_defaults
from goodword.jobs import service as jobs
from goodword.outbound.guarded_client import Posted
from goodword.services import Services
from goodword.telemetry.metrics import WEBHOOK_ATTEMPTS
from goodword.webhooks import registry, writing
from goodword.webhooks.models import (
    DeliveryStatus,
    DisabledReason,
    EndpointStatus,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from goodword.webhooks.rounds import Message
from goodword.webhooks.schedule import next_attempt

NOTIFY = "notify_of_disabled_webhook"
GONE = 410
LONGEST_FAILURE = timedelta(days=5)
"""An endpoint is disabled if no delivery succeeds for this time."""

log = structlog.get_logger("goodword.webhooks")


class Sent(NamedTuple):
    """A message, and what came of it."""

    message: Message
    posted: Posted
    duration_ms: int

    @property
    def succeeded(self) -> bool:
        status = self.posted.status
        return status is not None and 200 <= status < 300


async def record(
    session: AsyncSession,
    services: Services,
    endpoint: WebhookEndpoint,
    sent: Sequence[Sent],
    *,
    now: datetime,
) -> None:
    """Record the outcomes of a round to an endpoint, which is locked."""
    attempts, changes = [], []
    for one in sent:
        answer = {"response_status": one.posted.status, "error": one.posted.error}
        answer |= {"duration_ms": one.duration_ms}
        values = {"delivery_id": one.message.delivery_id, "created_at": now, **answer}
        attempts.append(with_defaults(WebhookAttempt, values))
        again_at = None
        if not one.succeeded and one.posted.status != GONE:
            again_at = next_attempt(one.message.attempt, retry_after=one.posted.retry_after, now=now)
        if again_at is not None:
            writing.enqueue(session, endpoint.id, now=now, run_at=again_at)
        status = _status(one, again_at)
        services.metrics.add(WEBHOOK_ATTEMPTS, _OUTCOMES[status])
        place = {"of": one.message.delivery_id, "before": one.message.attempt - 1}
        answer = {f"new_{name}": value for name, value in answer.items()}
        changes.append({**place, **answer, "new_status": status.value, "again_at": again_at})
    await session.execute(_INSERT_ATTEMPT, attempts)
    await session.execute(_CHANGE, changes)
    _note_health(session, endpoint, sent, now=now)


def _status(one: Sent, again_at: datetime | None) -> DeliveryStatus:
    if one.succeeded:
        return DeliveryStatus.SUCCEEDED
    return DeliveryStatus.PENDING if again_at is not None else DeliveryStatus.FAILED


def _note_health(
    session: AsyncSession, endpoint: WebhookEndpoint, sent: Sequence[Sent], *, now: datetime
) -> None:
    """Remember when an endpoint succeeded and failed, and disable one that is gone or has failed for days."""
    if any(one.succeeded for one in sent):
        endpoint.last_succeeded_at = now
    if not all(one.succeeded for one in sent):
        endpoint.last_failed_at = now
    if any(one.posted.status == GONE for one in sent):
        disable(session, endpoint, DisabledReason.GONE, now=now)
    elif any(one.succeeded for one in sent):
        endpoint.failing_since = None
    elif endpoint.failing_since is None:
        endpoint.failing_since = now
    elif now - endpoint.failing_since >= LONGEST_FAILURE:
        disable(session, endpoint, DisabledReason.FAILING, now=now)


def disable(
    session: AsyncSession, endpoint: WebhookEndpoint, reason: DisabledReason, *, now: datetime
) -> None:
    """Disable an endpoint that is locked, and notify the administrators. What waits for it fails."""
    if not endpoint.is_enabled:
        return
    endpoint.status, endpoint.disabled_reason = EndpointStatus.DISABLED, reason
    why = reason.value
    record_action(session, Action.WEBHOOK_DISABLED, Subject.WEBHOOK_ENDPOINT, endpoint.id, why=why)
    registry.invalidate(session)
    jobs.enqueue(session, NOTIFY, writing.payload_of(endpoint.id), now=now)
    log.warning("a webhook endpoint was disabled", id=str(endpoint.id), why=why)


async def give_up_pending(session: AsyncSession, endpoint: WebhookEndpoint) -> None:
    """Let the deliveries that wait for a disabled or deleted endpoint fail. They can be replayed."""
    await session.execute(_GIVE_UP, {"endpoint": endpoint.id})


_OUTCOMES = {
    DeliveryStatus.SUCCEEDED: "succeeded",
    DeliveryStatus.PENDING: "failed",
    DeliveryStatus.FAILED: "given_up",
}
_DELIVERIES: Any = WebhookDelivery.__table__
_ATTEMPTS: Any = WebhookAttempt.__table__
_INSERT_ATTEMPT = insert(_ATTEMPTS)
_CHANGE = (
    update(_DELIVERIES)
    .where(
        _DELIVERIES.c.id == bindparam("of"),
        _DELIVERIES.c.attempt == bindparam("before"),
        _DELIVERIES.c.status == DeliveryStatus.PENDING.value,
    )
    .values(
        attempt=_DELIVERIES.c.attempt + 1,
        status=bindparam("new_status"),
        next_attempt_at=bindparam("again_at"),
        response_status=bindparam("new_response_status"),
        error=bindparam("new_error"),
        duration_ms=bindparam("new_duration_ms"),
    )
)
_GIVE_UP = (
    update(_DELIVERIES)
    .where(
        _DELIVERIES.c.endpoint_id == bindparam("endpoint"),
        _DELIVERIES.c.status == DeliveryStatus.PENDING.value,
    )
    .values(status=DeliveryStatus.FAILED.value, next_attempt_at=None, error="endpoint_disabled")
)
