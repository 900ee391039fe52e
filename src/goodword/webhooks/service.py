"""Rules of endpoints: create, change, delete them, and rotate their secrets."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.db.keyset import Position, keyset_page
from goodword.db.statements import insert
from goodword.errors import Conflict, NotFound
from goodword.programs.service import ProgramNotFound
from goodword.services import Services
from goodword.webhooks import registry, signing
from goodword.webhooks.models import DisabledReason, EndpointStatus, WebhookEndpoint
from goodword.webhooks.schemas import WebhookEndpointCreate, WebhookEndpointUpdate
from goodword.webhooks.targets import check_url

MAX_ENDPOINTS = 20
OVERLAP = timedelta(hours=24)
"""How long the previous secret of an endpoint signs too."""


class EndpointNotFound(NotFound):
    code, detail = "webhook_endpoint_not_found", "There is no webhook endpoint with this id."


class TooManyEndpoints(Conflict):
    code = "too_many_webhook_endpoints"
    detail = "There are 20 webhook endpoints. Delete one, or give one more kinds of events."


async def create(
    session: AsyncSession,
    services: Services,
    body: WebhookEndpointCreate,
    *,
    within: uuid.UUID | None,
    now: datetime,
) -> tuple[WebhookEndpoint, str]:
    """Create an endpoint and return its secret too. `within` is the only program that the caller can reach, if any.

    Raises `ProgramNotFound`, `TooManyEndpoints` and the `Url…` errors.
    """
    check_url(body.url, services.settings)
    program_id = within
    if body.program is not None:
        program = await services.programs.by_slug(body.program)
        if program is None or within not in (None, program.id):
            raise ProgramNotFound
        program_id = program.id
    if (await session.scalar(_COUNT) or 0) >= MAX_ENDPOINTS:
        raise TooManyEndpoints
    endpoint_id, secret = uuid7(), signing.generate_secret()
    kinds = " ".join(body.kinds)
    endpoint = await insert(
        session,
        WebhookEndpoint,
        id=endpoint_id,
        program_id=program_id,
        url=body.url,
        kinds=kinds,
        description=body.description,
        secret=signing.seal(services.keys.webhook_secrets, secret, endpoint_id),
        created_at=now,
    )
    details: Mapping[str, Any] = {"kinds": kinds} | ({"program_id": str(program_id)} if program_id else {})
    record(session, Action.WEBHOOK_CREATED, Subject.WEBHOOK_ENDPOINT, endpoint.id, **details)
    registry.invalidate(session)
    return endpoint, secret


async def update(
    session: AsyncSession,
    services: Services,
    endpoint_id: uuid.UUID,
    body: WebhookEndpointUpdate,
    *,
    within: uuid.UUID | None,
) -> WebhookEndpoint:
    """Change the fields that `body` gives. Raises `EndpointNotFound` and the `Url…` errors.

    An endpoint that is enabled again counts as one that never failed.
    """
    endpoint = await get(session, endpoint_id, within=within, lock=True)
    given = body.model_dump(exclude_unset=True)
    if "kinds" in given:
        given["kinds"] = " ".join(body.kinds)
    changes = {name: value for name, value in given.items() if value != getattr(endpoint, name)}
    if not changes:
        return endpoint
    if "url" in changes:
        check_url(body.url, services.settings)
    if "status" in changes:
        is_disabled = changes["status"] == EndpointStatus.DISABLED
        changes["disabled_reason"] = DisabledReason.REQUESTED if is_disabled else None
        endpoint.failing_since = None
    fields = " ".join(sorted(changes.keys() - {"disabled_reason"}))
    for name, value in changes.items():
        setattr(endpoint, name, value)
    await session.flush()
    record(session, Action.WEBHOOK_CHANGED, Subject.WEBHOOK_ENDPOINT, endpoint.id, fields=fields)
    registry.invalidate(session)
    return endpoint


async def delete(
    session: AsyncSession, endpoint_id: uuid.UUID, *, within: uuid.UUID | None, now: datetime
) -> None:
    """Delete an endpoint and its secrets. Its deliveries expire like others. Raises `EndpointNotFound`."""
    endpoint = await get(session, endpoint_id, within=within, lock=True)
    endpoint.deleted_at = now
    endpoint.secret = endpoint.previous_secret = endpoint.previous_valid_until = None
    await session.flush()
    record(session, Action.WEBHOOK_DELETED, Subject.WEBHOOK_ENDPOINT, endpoint.id)
    registry.invalidate(session)


async def rotate_secret(
    session: AsyncSession,
    services: Services,
    endpoint_id: uuid.UUID,
    *,
    within: uuid.UUID | None,
    now: datetime,
) -> tuple[WebhookEndpoint, str]:
    """Give an endpoint a new secret and return it. For a day the previous one signs too. Raises `EndpointNotFound`."""
    endpoint = await get(session, endpoint_id, within=within, lock=True)
    secret = signing.generate_secret()
    endpoint.previous_secret, endpoint.previous_valid_until = endpoint.secret, now + OVERLAP
    endpoint.secret = signing.seal(services.keys.webhook_secrets, secret, endpoint.id)
    await session.flush()
    record(session, Action.WEBHOOK_SECRET_ROTATED, Subject.WEBHOOK_ENDPOINT, endpoint.id)
    return endpoint, secret


async def list_endpoints(
    session: AsyncSession, *, within: uuid.UUID | None, after: Position | None, limit: int
) -> Sequence[WebhookEndpoint]:
    """Return endpoints, newest first, and one more than `limit` if there are more. `within`: of this program alone."""
    place = (WebhookEndpoint.created_at, WebhookEndpoint.id)
    query = keyset_page(_visible(within), place, after=after, limit=limit)
    return (await session.scalars(query)).all()


async def get(
    session: AsyncSession, endpoint_id: uuid.UUID, *, within: uuid.UUID | None = None, lock: bool = False
) -> WebhookEndpoint:
    """Return an endpoint. Raises `EndpointNotFound`, also for that of another program than `within`."""
    query = _visible(within).where(WebhookEndpoint.id == endpoint_id)
    if lock:  # not its key: transactions that add deliveries need not wait
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    endpoint = await session.scalar(query)
    if endpoint is None:
        raise EndpointNotFound
    return endpoint


def _visible(within: uuid.UUID | None) -> Select[WebhookEndpoint]:
    query = select(WebhookEndpoint).where(WebhookEndpoint.deleted_at.is_(None))
    return query if within is None else query.where(WebhookEndpoint.program_id == within)


_COUNT = select(func.count()).select_from(WebhookEndpoint).where(WebhookEndpoint.deleted_at.is_(None))
