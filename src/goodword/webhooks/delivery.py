"""The jobs that send events to endpoints.

One job at a time sends to an endpoint, in rounds: it records the outcomes of a round and chooses the next one in a
transaction that locks the endpoint, and finishes the jobs that were added in between. Should two workers claim jobs of
an endpoint at the same moment, the second one ends at once, because the first one looks for due deliveries once more
before it gives the endpoint up. So no delivery waits for a job that does not come.
"""

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import bindparam, or_, select

from goodword.jobs import service as jobs
from goodword.jobs.service import ClaimedJob
from goodword.jobs.worker import Handler
from goodword.services import Services
from goodword.webhooks import outcomes, rounds, writing
from goodword.webhooks.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint
from goodword.webhooks.outcomes import Sent
from goodword.webhooks.rounds import Message
from goodword.webhooks.writing import SEND

RESUME = "resume_webhooks"
ENDPOINTS_AT_ONCE = 32
"""Endpoints to which a worker sends at a time."""
REQUESTS_AT_ONCE = 16
"""Requests to an endpoint at a time."""
BUDGET = 10.0
"""Seconds for a request."""
ROUND_SECONDS = 1.0
"""After this time a round begins no further request."""
TIME_LIMIT = 25.0
"""Seconds after which a job begins no further round."""
LEASE = timedelta(seconds=60)
"""How long an endpoint waits for the job of a worker that died."""
OVERDUE = timedelta(minutes=2)

log = structlog.get_logger("goodword.webhooks")


async def send(services: Services, job: ClaimedJob) -> None:
    """Send what is due to an endpoint, until nothing is or the time is up."""
    endpoint_id, begun = uuid.UUID(job.payload["endpoint"]), time.monotonic()
    sent: Sequence[Sent] = ()
    while True:
        is_last = time.monotonic() - begun > TIME_LIMIT
        messages = await _advance(services, job, endpoint_id, sent, is_last=is_last)
        if not messages:
            return
        sent = await _send_round(services, messages)


async def _advance(
    services: Services, job: ClaimedJob, endpoint_id: uuid.UUID, sent: Sequence[Sent], *, is_last: bool
) -> Sequence[Message]:
    """Record the outcomes of a round, and return the messages of the next one. Give the endpoint up if there are none."""
    async with services.database.transaction() as session:
        endpoint = await session.scalar(_LOCKED, {"endpoint_id": endpoint_id})
        if endpoint is None:
            return ()
        now = services.clock()
        if sent:
            await outcomes.record(session, services, endpoint, sent, now=now)
        if not _take(endpoint, job.id, now):
            return ()
        await jobs.finish_due(session, SEND, writing.payload_of(endpoint.id), besides=job.id, now=now)
        if not endpoint.is_enabled:
            await outcomes.give_up_pending(session, endpoint)
        due = await rounds.next_round(session, services, endpoint, now=now) if endpoint.is_enabled else ()
        if due and not is_last:
            return due
        endpoint.sender_id = endpoint.sending_until = None
        if due:
            writing.enqueue(session, endpoint.id, now=now)
        return ()


def _take(endpoint: WebhookEndpoint, job_id: uuid.UUID, now: datetime) -> bool:
    """Take the endpoint for a job, or keep it. Return False if another job has it."""
    is_free = endpoint.sending_until is None or endpoint.sending_until <= now
    if not is_free and endpoint.sender_id != job_id:
        return False
    endpoint.sender_id, endpoint.sending_until = job_id, now + LEASE
    return True


async def _send_round(services: Services, messages: Sequence[Message]) -> Sequence[Sent]:
    """Send messages, some at a time, and return what came of them. To a slow endpoint only the first ones are sent."""
    waiting, begun, sent = iter(messages), time.monotonic(), list[Sent]()

    async def send_some() -> None:
        for message in waiting:
            sent.append(await _post(services, message))
            if time.monotonic() - begun > ROUND_SECONDS:
                return

    await asyncio.gather(*(send_some() for _ in range(REQUESTS_AT_ONCE)))
    return sent


async def _post(services: Services, message: Message) -> Sent:
    begun = time.monotonic()
    posted = await services.webhook_client.post(message.url, message.body, message.headers, budget=BUDGET)
    return Sent(message, posted, round((time.monotonic() - begun) * 1000))


async def resume(services: Services, _job: ClaimedJob) -> None:
    """Add a job for each endpoint with overdue deliveries that no job sends: one may have died for good."""
    async with services.database.transaction() as session:
        now = services.clock()
        found = (await session.scalars(_OVERDUE, {"due": now - OVERDUE, "now": now})).all()
        for endpoint_id in found:
            writing.enqueue(session, endpoint_id, now=now)
    if found:
        log.warning("webhooks were overdue", count=len(found))


_LOCKED = (
    select(WebhookEndpoint)
    .where(WebhookEndpoint.id == bindparam("endpoint_id"))
    # Not the key: transactions that add deliveries need not wait.
    .with_for_update(key_share=True)
    .execution_options(populate_existing=True)
)
_OVERDUE = select(WebhookEndpoint.id).where(
    or_(
        WebhookEndpoint.sending_until.is_(None),
        WebhookEndpoint.sending_until <= bindparam("now", type_=WebhookEndpoint.created_at.type),
    ),
    select(WebhookDelivery.id)
    .where(
        WebhookDelivery.endpoint_id == WebhookEndpoint.id,
        WebhookDelivery.status == DeliveryStatus.PENDING.value,
        WebhookDelivery.next_attempt_at <= bindparam("due", type_=WebhookDelivery.created_at.type),
    )
    .exists(),
)

HANDLERS: Mapping[str, Handler] = {SEND: send, RESUME: resume}
PERIODIC_TASKS: Mapping[str, timedelta] = {RESUME: timedelta(minutes=1)}
GROUP_LIMITS: Mapping[str, int] = {SEND: ENDPOINTS_AT_ONCE}
"""These jobs do not share the concurrency of the worker: they wait for others most of the time."""
SERIAL_KINDS = frozenset({SEND})
"""The jobs of an endpoint wait for the one that sends to it, which does their work too."""
