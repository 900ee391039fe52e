"""Write events in the transaction that makes them true, with a delivery for each endpoint that gets them."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.statements import with_defaults
from goodword.db.transaction_hooks import insert_before_commit
from goodword.jobs import service as jobs
from goodword.services import Services
from goodword.users.models import User
from goodword.webhooks.models import DeliveryStatus, WebhookDelivery, WebhookEvent, WebhookSequence

SEND = "send_webhooks"
"""The kind of the jobs that send what is due to one endpoint."""

_EVENTS: Any = WebhookEvent.__table__
_DELIVERIES: Any = WebhookDelivery.__table__


async def write(
    session: AsyncSession,
    services: Services,
    kind: str,
    object_id: uuid.UUID,
    data: Mapping[str, Any],
    *,
    program_id: uuid.UUID,
    now: datetime,
) -> None:
    """Write an event of a program, unless no endpoint gets this kind. `data` has ids and states only."""
    if endpoints := await find_endpoints(services, kind, program_id):
        program = await services.programs.get(program_id)
        data = {**data, "program": program.slug}
        await insert(session, kind, object_id, data, endpoints, program_id=program_id, now=now)


async def find_endpoints(services: Services, kind: str, program_id: uuid.UUID) -> Sequence[uuid.UUID]:
    """Return the endpoints that get this kind of event of a program."""
    wanting = await services.webhook_subscriptions.wanting(kind)
    return [one.endpoint_id for one in wanting if one.program_id in (None, program_id)]


async def write_about_user(
    session: AsyncSession, services: Services, kind: str, user_id: uuid.UUID, *, now: datetime
) -> None:
    """Write an event about a user. An endpoint of a program gets those of participants whom its API keys reported."""
    wanting = await services.webhook_subscriptions.wanting(kind)
    if not wanting:
        return
    program_id = await session.scalar(_PROGRAM_OF_USER, {"user_id": user_id})
    endpoints = [one.endpoint_id for one in wanting if one.program_id in (None, program_id)]
    if endpoints:
        data = {"user": person(user_id)}
        await insert(session, kind, user_id, data, endpoints, program_id=program_id, now=now)


async def insert(
    session: AsyncSession,
    kind: str,
    object_id: uuid.UUID,
    data: Mapping[str, Any],
    endpoints: Iterable[uuid.UUID],
    *,
    program_id: uuid.UUID | None,
    now: datetime,
) -> uuid.UUID:
    """Insert an event with a delivery and a job for each endpoint, just before the commit. Return its id.

    The transaction has the lock of the object, or has inserted it. So events have their numbers in the order of
    their commits.
    """
    sequence = await session.scalar(
        _next_number(session.get_bind().dialect.name), {"object_id": object_id, "now": now}
    )
    text = json.dumps(data, separators=(",", ":"))
    values = {"kind": kind, "program_id": program_id, "object_id": object_id, "data": text}
    event = with_defaults(WebhookEvent, {**values, "sequence": sequence, "created_at": now})
    insert_before_commit(session, _EVENTS, event)
    event_id: uuid.UUID = event["id"]
    for endpoint_id in endpoints:
        delivery = {
            "event_id": event_id,
            "endpoint_id": endpoint_id,
            "kind": kind,
            "status": DeliveryStatus.PENDING.value,
            "next_attempt_at": now,
            "created_at": now,
        }
        insert_before_commit(session, _DELIVERIES, with_defaults(WebhookDelivery, delivery))
        enqueue(session, endpoint_id, now=now)
    return event_id


def enqueue(
    session: AsyncSession, endpoint_id: uuid.UUID, *, now: datetime, run_at: datetime | None = None
) -> None:
    """Add a job that sends what is due to an endpoint."""
    jobs.enqueue(session, SEND, payload_of(endpoint_id), now=now, run_at=run_at)


def payload_of(endpoint_id: uuid.UUID) -> Mapping[str, Any]:
    return {"endpoint": str(endpoint_id)}


def person(user_id: uuid.UUID) -> Mapping[str, str]:
    """Return what an event says of a person. The external id is added when it is sent."""
    return {"id": str(user_id)}


@cache
def _next_number(dialect: str) -> Any:
    insert_into = (sqlite if dialect == "sqlite" else postgresql).insert
    sequences: Any = WebhookSequence.__table__
    first = {
        "id": bindparam("object_id", type_=sequences.c.id.type),
        "created_at": bindparam("now", type_=sequences.c.created_at.type),
        "last": 1,
    }
    statement = insert_into(sequences).values(first)
    following = {"last": sequences.c.last + 1}
    return statement.on_conflict_do_update(index_elements=["id"], set_=following).returning(sequences.c.last)


_PROGRAM_OF_USER = select(User.program_id).where(User.id == bindparam("user_id"))
