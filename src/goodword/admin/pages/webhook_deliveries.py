"""/admin/webhooks/{id}/deliveries: the delivery log of an endpoint, a delivery with its attempts, and replays."""

import re
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.admin.pages import lists
from goodword.admin.pages.access import Administrator, admin_page, read_id, router as admin_router
from goodword.admin.pages.lists import ListRequest
from goodword.admin.webhook_tables import DELIVERIES, find_deliveries
from goodword.errors import AppError
from goodword.languages import to_translate
from goodword.sessions.cookies import Visitor
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.forms import read_form
from goodword.web.html import messages
from goodword.web.html.rendering import link, see_other, translate_for
from goodword.webhooks import deliveries, service
from goodword.webhooks.models import DeliveryStatus

router = admin_router()

LIST_PATH = "/webhooks/{endpoint_id:uuid}/deliveries"
DELIVERY_PATH = "/webhook-deliveries/{delivery_id:uuid}"
MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?", re.ASCII)
TIME_INVALID = to_translate("Enter a date and a time.")
DONE = {
    "tested": to_translate("The test event is on its way. Reload the page to see what came of it."),
    "replayed": to_translate("The deliveries are sent again."),
    "part": to_translate("The first 10,000 deliveries are sent again. Replay the later ones afterwards."),
    "nothing": to_translate("There is nothing to send again in this time."),
    "again": to_translate("The delivery is sent again."),
}


@router.get(LIST_PATH)
@router.get(LIST_PATH + ".csv")
async def show_webhook_deliveries(
    endpoint_id: uuid.UUID, request: Request, visitor: Administrator, reader: Reader, clock: Clock
) -> Response:
    """Show the delivery log of an endpoint, newest first, by status, kind, event and time."""
    asked = _asked(request, endpoint_id)
    if lists.is_file(request):
        return await lists.send_file(request, asked, _find(asked, endpoint_id), now=clock())
    return await _page(request, reader, visitor, endpoint_id, asked)


@router.post("/webhooks/{endpoint_id:uuid}/replay")
async def replay_webhook_range(
    endpoint_id: uuid.UUID, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Send the deliveries of a time again."""
    form, now = await read_form(request), clock()
    given = {name: form.get(name, "") for name in ("since", "until", "only_failed")}
    since, until = (_read_time(given[name]) for name in ("since", "until"))
    wrong = {"since": since, "until": until} if given["until"] else {"since": since}
    errors = {name: translate_for(request, TIME_INVALID) for name, time in wrong.items() if time is None}
    asked = _asked(request, endpoint_id)
    error: AppError | str | None = translate_for(request, messages.CHECK_FIELDS) if errors else None
    if since is not None and not errors:
        try:
            count, following = await deliveries.replay_range(
                session,
                endpoint_id,
                since=since,
                until=until or now,
                only_failed=bool(given["only_failed"]),
                within=None,
                now=now,
            )
        except deliveries.EndpointDisabled as disabled:
            error = disabled
        else:
            return _replayed(request, endpoint_id, count, following)
    return await _page(request, session, visitor, endpoint_id, asked, given=given, errors=errors, error=error)


def _replayed(request: Request, endpoint_id: uuid.UUID, count: int, following: datetime | None) -> Response:
    here = link(request, f"/admin/webhooks/{endpoint_id}/deliveries")
    if following is not None:
        return see_other(f"{here}?done=part&since={following:%Y-%m-%dT%H:%M:%S}")
    return see_other(f"{here}?done={'replayed' if count else 'nothing'}")


@router.get(DELIVERY_PATH)
async def show_webhook_delivery(
    delivery_id: uuid.UUID, request: Request, visitor: Administrator, reader: Reader
) -> Response:
    """Show a delivery with its body and its attempts."""
    return await _delivery_page(request, reader, visitor, delivery_id)


@router.post(DELIVERY_PATH + "/replay")
async def replay_webhook(
    delivery_id: uuid.UUID, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Send a delivery again."""
    try:
        await deliveries.replay(session, delivery_id, within=None, now=clock())
    except deliveries.EndpointDisabled as error:
        return await _delivery_page(request, session, visitor, delivery_id, error=error)
    return see_other(f"{link(request, f'/admin/webhook-deliveries/{delivery_id}')}?done=again")


def _asked(request: Request, endpoint_id: uuid.UUID) -> ListRequest:
    path = f"/admin/webhooks/{endpoint_id}/deliveries"
    return lists.read(request, path, DELIVERIES, choices=set(DeliveryStatus))


def _find(asked: ListRequest, endpoint_id: uuid.UUID) -> lists.Find:
    return partial(
        find_deliveries,
        endpoint_id=endpoint_id,
        text=asked.text,
        event_id=read_id(asked.text),
        status=asked.choice,
    )


def _read_time(text: str) -> datetime | None:
    """Return the time in UTC of a text in a form, or None if it is not one."""
    if MINUTE.fullmatch(text):
        with suppress(ValueError):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
    return None


async def _page(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    endpoint_id: uuid.UUID,
    asked: ListRequest,
    *,
    given: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    error: AppError | str | None = None,
) -> Response:
    endpoint = await service.get(session, endpoint_id)
    since = request.query_params.get("since", "")
    return await lists.show(
        request,
        session,
        visitor,
        "admin_webhook_deliveries.html",
        asked,
        _find(asked, endpoint_id),
        done=DONE,
        error=error,
        errors=errors or {},
        endpoint=endpoint,
        given=given or {"since": since if MINUTE.fullmatch(since) else "", "until": "", "only_failed": "on"},
        here=asked.path,
    )


async def _delivery_page(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    delivery_id: uuid.UUID,
    *,
    error: AppError | None = None,
) -> Response:
    delivery = await deliveries.get(session, delivery_id, within=None)
    return await admin_page(
        request,
        session,
        visitor,
        "admin_webhook_delivery.html",
        done=DONE,
        error=error,
        delivery=delivery,
        endpoint=await service.get(session, delivery.endpoint_id),
        body=await deliveries.read_body(session, delivery),
        attempts=await deliveries.list_attempts(session, delivery_id),
        here=link(request, f"/admin/webhook-deliveries/{delivery_id}"),
    )
