"""Pages of referral codes: the dashboard with the active and the prepared codes, and QR codes."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.codes import code_format, qr, service
from goodword.codes.models import CodeStatus, ReferralCode
from goodword.codes.schemas import CodeCreate, CodeUpdate
from goodword.codes.service import usable_code
from goodword.errors import AppError
from goodword.languages import to_translate
from goodword.services import services_of
from goodword.sessions import cookies
from goodword.sessions.cookies import Visitor
from goodword.sessions.page_access import signed_in
from goodword.users import service as users
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.forms import read_form
from goodword.web.html.form_errors import error_context
from goodword.web.html.rendering import link, page, see_other, translate_for

router = APIRouter(include_in_schema=False)

PageVisitor = Annotated[Visitor, signed_in("/")]

FIELDS = ("lifetime", "code", "max_uses")
MONTH = "2592000"
MAX_PREPARED = 20
SHARE_TEXT = to_translate("Join with my link:")


@router.get("/")
async def show_home(request: Request, reader: Reader, clock: Clock) -> Response:
    """Show the dashboard, or the welcome page if the visitor is not signed in."""
    visitor = await cookies.visitor(request)
    if visitor is None:
        return page(request, "welcome.html")
    return await _page(request, reader, visitor, now=clock())


@router.post("/")
async def create_code(request: Request, visitor: PageVisitor, session: Session, clock: Clock) -> Response:
    """Create an active or a prepared code. A form that is sent twice creates one code."""
    form = await read_form(request)
    given = {name: form[name].strip() for name in FIELDS if name in form}
    owner = await users.lock(session, visitor.user_id)
    if await _latest(session, visitor, now=clock()) > form.get("latest", ""):
        return see_other(link(request, "/"))
    try:
        fields = {name: _value(name, text) for name, text in given.items() if text}
        body = CodeCreate(active="later" not in form, **fields)
        async with session.begin_nested():
            await service.create(session, services_of(request), owner, body, now=clock())
    except (ValidationError, AppError) as error:
        return await _page(request, session, visitor, now=clock(), given=given, error=error)
    return see_other(link(request, "/"))


@router.post("/code/activate")
async def activate_code(request: Request, visitor: PageVisitor, session: Session, clock: Clock) -> Response:
    form = await read_form(request)
    owner = await users.lock(session, visitor.user_id)
    try:
        async with session.begin_nested():
            code, replace = form.get("of", ""), "replace" in form
            await service.activate(session, owner, code, replace=replace, now=clock())
    except AppError as error:
        return await _page(request, session, visitor, now=clock(), error=error)
    return see_other(link(request, "/"))


@router.post("/code/update")
async def update_code(request: Request, visitor: PageVisitor, session: Session, clock: Clock) -> Response:
    """Extend a code, and change how many friends can use it. An empty term stays as it is."""
    form = await read_form(request)
    given = {name: form.get(f"new_{name}", "").strip() for name in ("lifetime", "max_uses")}
    owner = await users.lock(session, visitor.user_id)
    try:
        fields: dict[str, Any] = {"max_uses": _value("max_uses", given["max_uses"]) or None}
        if given["lifetime"]:
            fields["lifetime"] = _value("lifetime", given["lifetime"])
        async with session.begin_nested():
            await service.update(session, owner, form.get("of", ""), CodeUpdate(**fields), now=clock())
    except (ValidationError, AppError) as error:
        return await _page(request, session, visitor, now=clock(), change=given, error=error)
    return see_other(link(request, "/"))


@router.post("/code/delete")
async def delete_code(request: Request, visitor: PageVisitor, session: Session, clock: Clock) -> Response:
    """Delete a code. A form that is sent twice is not an error."""
    form = await read_form(request)
    owner = await users.lock(session, visitor.user_id)
    with suppress(service.CodeNotFound):
        await service.delete(session, owner, form.get("of", ""), now=clock())
    return see_other(link(request, "/"))


@router.get("/code/qr.{kind}")
async def draw_code(
    kind: str, request: Request, visitor: PageVisitor, reader: Reader, clock: Clock
) -> Response:
    """Return a QR code of the link of the visitor's code, as a download if `?download` is given."""
    code = await usable_code(reader, visitor.user_id, now=clock())
    if code is None or kind not in qr.MEDIA_TYPES:
        raise service.CodeNotFound
    image = await qr.draw(_link(request, code), kind, services_of(request).settings)
    headers = {}
    if "download" in request.query_params:
        headers["Content-Disposition"] = f'attachment; filename="{code.code}.{kind}"'
    return Response(image, media_type=qr.MEDIA_TYPES[kind], headers=headers)


async def _page(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    *,
    now: datetime,
    given: Mapping[str, str] | None = None,
    change: Mapping[str, str] | None = None,
    error: AppError | ValidationError | None = None,
) -> Response:
    """Return the dashboard. `given` and `change` are the refused fields of a new code, or of a change."""
    user = await users.get(session, visitor.user_id)
    current = await service.current_code(session, user)
    code = current if current and current.is_usable(now) else None
    prepared = await service.list_codes(
        session, visitor.user_id, status=CodeStatus.PREPARED, after=None, limit=MAX_PREPARED, now=now
    )
    url = _link(request, code) if code else ""
    errors = error_context(request, error, FIELDS)
    if change:
        errors["errors"] = {f"new_{name}": text for name, text in errors["errors"].items()}
    return page(
        request,
        "dashboard.html",
        **errors,
        current=current,
        change=change or _current_values(current, now),
        user=user,
        code=code,
        url=url,
        left=_remaining(code.expires_at - now) if code else None,
        shares=_share_links(request, url),
        prepared=prepared[:MAX_PREPARED],
        given={"lifetime": MONTH, "code": "", "max_uses": ""} | dict(given or {}),
        latest=await _latest(session, visitor, now=now),
        form_token=services_of(request).page_cookies.form_token(visitor),
    )


def _current_values(code: ReferralCode | None, now: datetime) -> Mapping[str, str]:
    """Return the values of the form that changes a code. It suggests a new term for an expired one."""
    if code is None:
        return {}
    return {
        "lifetime": MONTH if code.status(now) == CodeStatus.EXPIRED else "",
        "max_uses": str(code.max_uses or ""),
    }


async def _latest(session: AsyncSession, visitor: Visitor, *, now: datetime) -> str:
    """Return the id of the newest code. A form with an older one was sent twice: ids increase (RFC 9562 §5.7)."""
    found = await service.list_codes(session, visitor.user_id, status=None, after=None, limit=1, now=now)
    return str(found[0].id) if found else ""


def _link(request: Request, code: ReferralCode) -> str:
    return code_format.link(services_of(request).settings.public_url, code.code or "")


def _value(name: str, text: str) -> Any:
    # Other text is left as it is: the schema reports what is wrong with it.
    return int(text) if name != "code" and re.fullmatch(r"[0-9]{1,18}", text) else text


def _remaining(time: timedelta) -> tuple[str, int]:
    """Return a duration in the largest unit of which it has at least two."""
    minutes = int(time.total_seconds()) // 60
    if minutes >= 2 * 24 * 60:
        return "days", minutes // (24 * 60)
    return ("hours", minutes // 60) if minutes >= 120 else ("minutes", minutes)


def _share_links(request: Request, url: str) -> Mapping[str, str]:
    """Return links that share `url` by e-mail and on social networks, without loading scripts of these."""
    services = services_of(request)
    own = services.settings.share_text
    said = own[services.page_cookies.language(request)] if own else translate_for(request, SHARE_TEXT)
    text, target = quote(said, safe=""), quote(url, safe="")
    return {
        "E-mail": f"mailto:?subject={text}&body={target}",
        "WhatsApp": f"https://wa.me/?text={text}%20{target}",
        "Telegram": f"https://t.me/share/url?url={target}&text={text}",
        "X": f"https://x.com/intent/post?text={text}&url={target}",
    }
