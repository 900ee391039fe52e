"""/admin/webhooks: the endpoints of webhooks, with forms that create, change, rotate and delete them."""

import uuid
from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.admin.pages.access import Administrator, router as admin_router
from goodword.errors import AppError
from goodword.languages import to_translate
from goodword.programs.models import Program
from goodword.services import Services, services_of
from goodword.sessions.cookies import Visitor
from goodword.users import service as users
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.forms import read_form
from goodword.web.html.form_errors import error_context
from goodword.web.html.rendering import done_text, link, page, see_other, translate_for
from goodword.webhooks import deliveries, service
from goodword.webhooks.kinds import WebhookKind
from goodword.webhooks.models import EndpointStatus, WebhookEndpoint
from goodword.webhooks.schemas import WebhookEndpointCreate, WebhookEndpointUpdate

router = admin_router()

LIST = "/admin/webhooks"
ENDPOINT_PATH = "/webhooks/{endpoint_id:uuid}"
Programs = Mapping[uuid.UUID, Program]
FIELDS = ("url", "kinds", "description", "program")
KINDS: Mapping[WebhookKind, str] = {
    WebhookKind.USER_CREATED: to_translate("A person registers or is reported"),
    WebhookKind.USER_ERASED: to_translate("A person is erased"),
    WebhookKind.CODE_CREATED: to_translate("A code is created"),
    WebhookKind.CODE_ACTIVATED: to_translate("A code becomes the active one"),
    WebhookKind.CODE_RETIRED: to_translate("A code is retired"),
    WebhookKind.CODE_EXPIRED: to_translate("A code expires"),
    WebhookKind.REFERRAL_PENDING: to_translate("A referral waits for a confirmation"),
    WebhookKind.REFERRAL_HELD: to_translate("A referral is held for a review"),
    WebhookKind.REFERRAL_CONFIRMED: to_translate("A referral is confirmed"),
    WebhookKind.REFERRAL_REJECTED: to_translate("A referral is rejected"),
    WebhookKind.REFERRAL_REVERSED: to_translate("A referral is reversed"),
    WebhookKind.REWARD_CREATED: to_translate("A reward is earned"),
    WebhookKind.REWARD_APPROVED: to_translate("A reward is approved"),
    WebhookKind.REWARD_FULFILLED: to_translate("A reward is paid or handed over"),
    WebhookKind.REWARD_CANCELED: to_translate("A reward is canceled"),
    WebhookKind.REWARD_REVERSED: to_translate("A reward is taken back, in whole or in part"),
}
ALL_PROGRAMS = to_translate("All programs")
DONE = {
    "changed": to_translate("Your changes have been saved."),
    "enabled": to_translate("The endpoint is enabled. It gets the events from now on."),
    "disabled": to_translate("The endpoint is disabled."),
    "deleted": to_translate("The endpoint is deleted."),
}


@router.get("/webhooks")
async def show_webhooks(request: Request, visitor: Administrator, reader: Reader) -> Response:
    """Show all endpoints."""
    # Before `reader` holds a connection: waiting for a second one while holding the first can deadlock the pool.
    programs = await services_of(request).programs.all()
    found = await service.list_endpoints(reader, within=None, after=None, limit=service.MAX_ENDPOINTS)
    return await _page(
        request,
        reader,
        visitor,
        "admin_webhooks.html",
        here=LIST,
        endpoints=found,
        programs=programs,
        max_endpoints=service.MAX_ENDPOINTS,
    )


@router.get("/webhooks/new")
async def show_new_webhook(request: Request, visitor: Administrator, reader: Reader) -> Response:
    programs = await services_of(request).programs.all()
    return await _new_page(request, reader, visitor, programs, {})


@router.post("/webhooks/new")
async def create_webhook(
    request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Create an endpoint and show its secret. No other page shows it."""
    form, services, programs = await _read(request)
    await users.lock(session, visitor.user_id)  # before the block that shows errors
    try:
        body = WebhookEndpointCreate.model_validate(_given(form) | {"program": form.get("program")})
        async with session.begin_nested():
            endpoint, secret = await service.create(session, services, body, within=None, now=clock())
    except (ValidationError, AppError) as error:
        return await _new_page(request, session, visitor, programs, form, error=error)
    return await _secret_page(request, session, visitor, endpoint, secret)


@router.get(ENDPOINT_PATH)
async def show_webhook(
    endpoint_id: uuid.UUID, request: Request, visitor: Administrator, reader: Reader, clock: Clock
) -> Response:
    """Show an endpoint with the forms that change it."""
    programs = await services_of(request).programs.all()
    endpoint = await service.get(reader, endpoint_id)
    return await _endpoint_page(request, reader, visitor, endpoint, programs, clock=clock)


@router.post(ENDPOINT_PATH)
async def change_webhook(
    endpoint_id: uuid.UUID, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Change the URL, the kinds and the description."""
    form, services, programs = await _read(request)
    endpoint = await service.get(session, endpoint_id, lock=True)
    try:
        body = WebhookEndpointUpdate.model_validate(_given(form))
        async with session.begin_nested():
            await service.update(session, services, endpoint_id, body, within=None)
    except (ValidationError, AppError) as error:
        return await _endpoint_page(
            request, session, visitor, endpoint, programs, clock=clock, form=form, error=error
        )
    return _redirect(request, endpoint_id, "changed")


@router.post(ENDPOINT_PATH + "/enable")
async def enable_webhook(endpoint_id: uuid.UUID, request: Request, session: Session) -> Response:
    """Send events to an endpoint again. Repeating the request changes nothing."""
    return await _set_status(request, session, endpoint_id, EndpointStatus.ENABLED)


@router.post(ENDPOINT_PATH + "/disable")
async def disable_webhook(endpoint_id: uuid.UUID, request: Request, session: Session) -> Response:
    """Send no more events to an endpoint. Repeating the request changes nothing."""
    return await _set_status(request, session, endpoint_id, EndpointStatus.DISABLED)


async def _set_status(
    request: Request, session: AsyncSession, endpoint_id: uuid.UUID, status: EndpointStatus
) -> Response:
    body = WebhookEndpointUpdate.model_validate({"status": status})
    await service.update(session, services_of(request), endpoint_id, body, within=None)
    return _redirect(request, endpoint_id, status)


@router.post(ENDPOINT_PATH + "/rotate-secret")
async def rotate_webhook(
    endpoint_id: uuid.UUID, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Give an endpoint another secret and show it. No other page shows it."""
    services, now = services_of(request), clock()
    endpoint, secret = await service.rotate_secret(session, services, endpoint_id, within=None, now=now)
    return await _secret_page(request, session, visitor, endpoint, secret)


@router.post(ENDPOINT_PATH + "/test")
async def send_test_event(
    endpoint_id: uuid.UUID, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Send a test event to an endpoint."""
    programs = await services_of(request).programs.all()
    try:
        await deliveries.send_test(session, endpoint_id, within=None, now=clock())
    except deliveries.EndpointDisabled as error:
        endpoint = await service.get(session, endpoint_id)
        return await _endpoint_page(request, session, visitor, endpoint, programs, clock=clock, error=error)
    return see_other(f"{link(request, f'{LIST}/{endpoint_id}/deliveries')}?done=tested")


@router.post(ENDPOINT_PATH + "/delete")
async def delete_webhook(
    endpoint_id: uuid.UUID, request: Request, session: Session, clock: Clock
) -> Response:
    """Delete an endpoint and its secrets."""
    await service.delete(session, endpoint_id, within=None, now=clock())
    return see_other(f"{link(request, LIST)}?done=deleted")


async def _read(request: Request) -> tuple[dict[str, str], Services, Programs]:
    """Return the form, and what its page needs before the session holds a connection."""
    services = services_of(request)
    return await read_form(request), services, await services.programs.all()


def _given(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of an endpoint in a form, in which each kind is a checkbox."""
    return {
        "url": form.get("url", "").strip(),
        "kinds": [kind for kind in KINDS if kind in form],
        "description": form.get("description", "").strip() or None,
    }


async def _new_page(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    programs: Programs,
    form: Mapping[str, str],
    *,
    error: AppError | ValidationError | None = None,
) -> Response:
    return await _page(
        request,
        session,
        visitor,
        "admin_webhook_new.html",
        here=f"{LIST}/new",
        error=error,
        given=_given(form) | {"program": form.get("program", "")},
        programs={
            "": translate_for(request, ALL_PROGRAMS),
            **{program.slug: program.name for program in programs.values()},
        },
    )


async def _endpoint_page(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    endpoint: WebhookEndpoint,
    programs: Programs,
    *,
    clock: Clock,
    form: Mapping[str, str] | None = None,
    error: AppError | ValidationError | None = None,
) -> Response:
    fields = {name: getattr(endpoint, name) for name in ("url", "description")}
    return await _page(
        request,
        session,
        visitor,
        "admin_webhook.html",
        here=f"{LIST}/{endpoint.id}",
        error=error,
        endpoint=endpoint,
        programs=programs,
        given=fields | {"kinds": endpoint.kinds.split()} if form is None else _given(form),
        now=clock(),
    )


async def _secret_page(
    request: Request, session: AsyncSession, visitor: Visitor, endpoint: WebhookEndpoint, secret: str
) -> Response:
    here = f"{LIST}/{endpoint.id}"
    return await _page(
        request, session, visitor, "admin_webhook_secret.html", here=here, endpoint=endpoint, secret=secret
    )


async def _page(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    template: str,
    *,
    here: str,
    error: AppError | ValidationError | None = None,
    **values: Any,
) -> Response:
    return page(
        request,
        template,
        **error_context(request, error, FIELDS),
        here=link(request, here),
        user=await users.get(session, visitor.user_id),
        kinds={kind: translate_for(request, text) for kind, text in KINDS.items()},
        done=done_text(request, DONE) if error is None else None,
        form_token=services_of(request).page_cookies.form_token(visitor),
        **values,
    )


def _redirect(request: Request, endpoint_id: uuid.UUID, what: str) -> Response:
    return see_other(f"{link(request, f'{LIST}/{endpoint_id}')}?done={what}")
