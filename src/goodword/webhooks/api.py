"""API of webhook endpoints, for the servers of a product."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel

from goodword.api_keys.auth import WebhooksReader, WebhooksWriter
from goodword.crypto import decrypt, encrypt
from goodword.programs.service import ProgramNotFound
from goodword.services import Services, services_of
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.idempotency import Answer, IdempotentWriteDependency, KeyInUse, KeyReused, Restore
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems
from goodword.web.paging import Cursor, CursorInvalid, Limit
from goodword.web.schemas import Input
from goodword.webhooks import service, targets
from goodword.webhooks.representation import read_endpoint, with_secret
from goodword.webhooks.schemas import (
    WebhookEndpointCreate,
    WebhookEndpointList,
    WebhookEndpointRead,
    WebhookEndpointUpdate,
    WebhookEndpointWithSecret,
)

URL_ERRORS = (targets.UrlInvalid, targets.UrlLocal, targets.UrlInsecure)
EndpointId = Annotated[uuid.UUID, Path(description="The `id` of the endpoint.")]

router = APIRouter(prefix="/api/v1/webhook-endpoints", tags=["Webhooks"], route_class=JsonRoute)


class SealedAnswer(BaseModel):
    """An answer with a secret, as it is kept for a repeated request."""

    sealed: str


@router.get("", summary="List webhook endpoints", responses=problems(CursorInvalid))
async def list_webhook_endpoints(
    request: Request, caller: WebhooksReader, reader: Reader, limit: Limit = 50, cursor: Cursor = None
) -> WebhookEndpointList:
    """Return the endpoints, newest first. A key that is limited to a program sees those of this program alone."""
    services = services_of(request)
    cursors, name = services.cursors, f"webhook endpoints {caller.program_id}"
    found = await service.list_endpoints(
        reader, within=caller.program_id, after=cursors.read(cursor, of=name), limit=limit
    )
    rows, following = cursors.cut(found, limit, of=name)
    items = [await read_endpoint(services, row) for row in rows]
    return WebhookEndpointList(items=items, next_cursor=following)


@router.post(
    "",
    summary="Create a webhook endpoint",
    status_code=201,
    response_model=WebhookEndpointWithSecret,
    responses=problems(
        service.TooManyEndpoints,
        ProgramNotFound,
        *URL_ERRORS,
        KeyReused,
        KeyInUse,
        location="/api/v1/webhook-endpoints/019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11",
    ),
)
async def create_webhook_endpoint(
    body: WebhookEndpointCreate,
    request: Request,
    caller: WebhooksWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Create an endpoint. The answer shows its secret, with which you verify the signatures; no other answer does.

    It gets the events that are committed more than half a second after this answer, and most of those before.
    """
    services = services_of(request)

    async def effect(_: None) -> Answer:
        endpoint, secret = await service.create(
            session, services, body, within=caller.program_id, now=clock()
        )
        content = await with_secret(services, endpoint, secret)
        return _secret_answer(services, content, 201, location=f"{router.prefix}/{endpoint.id}")

    return await once.run(session, body, caller=caller.caller, effect=effect, restore=_restore(services))


@router.get("/{endpoint_id}", summary="Get a webhook endpoint", responses=problems(service.EndpointNotFound))
async def get_webhook_endpoint(
    endpoint_id: EndpointId, request: Request, caller: WebhooksReader, reader: Reader
) -> WebhookEndpointRead:
    """Return an endpoint, without its secret."""
    endpoint = await service.get(reader, endpoint_id, within=caller.program_id)
    return await read_endpoint(services_of(request), endpoint)


@router.patch(
    "/{endpoint_id}",
    summary="Change a webhook endpoint",
    response_model=WebhookEndpointRead,
    responses=problems(service.EndpointNotFound, *URL_ERRORS, KeyReused, KeyInUse),
)
async def update_webhook_endpoint(
    endpoint_id: EndpointId,
    body: WebhookEndpointUpdate,
    request: Request,
    caller: WebhooksWriter,
    session: Session,
    once: IdempotentWriteDependency,
) -> Response:
    """Change an endpoint, or disable and enable it. What happens while it is disabled is not sent to it later."""
    services = services_of(request)

    async def effect(_: None) -> Answer:
        endpoint = await service.update(session, services, endpoint_id, body, within=caller.program_id)
        return Answer(await read_endpoint(services, endpoint), status=200)

    return await once.run(session, body, caller=caller.caller, effect=effect)


@router.delete(
    "/{endpoint_id}",
    summary="Delete a webhook endpoint",
    status_code=204,
    responses=problems(service.EndpointNotFound),
)
async def delete_webhook_endpoint(
    endpoint_id: EndpointId, caller: WebhooksWriter, session: Session, clock: Clock
) -> None:
    """Delete an endpoint. What has not been sent to it yet is not sent."""
    await service.delete(session, endpoint_id, within=caller.program_id, now=clock())


@router.post(
    "/{endpoint_id}/rotate-secret",
    summary="Rotate the secret of a webhook endpoint",
    response_model=WebhookEndpointWithSecret,
    responses=problems(service.EndpointNotFound, KeyReused, KeyInUse),
)
async def rotate_webhook_secret(
    endpoint_id: EndpointId,
    request: Request,
    caller: WebhooksWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Create a new secret and show it. For 24 hours requests carry two signatures: by the new and by the previous one.

    Only the last two secrets sign: after two rotations the receiver must know one of the two new ones.
    """
    services = services_of(request)

    async def effect(_: None) -> Answer:
        endpoint, secret = await service.rotate_secret(
            session, services, endpoint_id, within=caller.program_id, now=clock()
        )
        return _secret_answer(services, await with_secret(services, endpoint, secret), 200)

    return await once.run(
        session,
        Input(),
        caller=caller.caller,
        effect=effect,
        restore=_restore(services),
    )


def _secret_answer(
    services: Services, content: WebhookEndpointWithSecret, status: int, *, location: str | None = None
) -> Answer:
    plain = content.model_dump_json().encode()
    sealed = encrypt(services.keys.webhook_secrets, plain, about=b"answer").hex()
    return Answer(content, location=location, status=status, kept=SealedAnswer(sealed=sealed))


def _restore(services: Services) -> Restore:
    async def restore(kept: str) -> BaseModel:
        sealed = bytes.fromhex(SealedAnswer.model_validate_json(kept).sealed)
        plain = decrypt(services.keys.webhook_secrets, sealed, about=b"answer")
        return WebhookEndpointWithSecret.model_validate_json(plain)

    return restore
