"""The home page: the link to invite friends with, its code and the prepared codes, and invitations by e-mail."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.codes import code_format, service
from goodword.codes.models import CodeStatus, ReferralCode
from goodword.codes.schemas import CodeCreate, CodeUpdate
from goodword.errors import AppError
from goodword.invitations import service as invitations
from goodword.invitations.emails import EXTEND
from goodword.invitations.schemas import InvitationCreate
from goodword.languages import to_translate
from goodword.referrals import statistics
from goodword.referrals.models import ReferralStatus
from goodword.services import services_of
from goodword.sessions import cookies
from goodword.sessions.cookies import Visitor
from goodword.sessions.page_access import signed_in
from goodword.users import service as users
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.forms import read_form
from goodword.web.html.form_errors import error_context
from goodword.web.html.rendering import done_text, link, page, see_other, share_text

router = APIRouter(include_in_schema=False)

PageVisitor = Annotated[Visitor, signed_in("/")]

CODE_FIELDS = ("lifetime", "code", "max_uses")
FIELDS = (*CODE_FIELDS, "email")
MONTH = "2592000"
MAX_PREPARED = 20
DONE = {
    "created": to_translate("Your link is ready. Share it with friends."),
    "prepared": to_translate("The code is ready for later."),
    "activated": to_translate("The code is active now."),
    "updated": to_translate("Your changes have been saved."),
    "deleted": to_translate("The code has been deleted."),
    "invitation": to_translate("If the address can receive invitations, the e-mail is on its way."),
}


@router.get("/")
async def show_home(request: Request, reader: Reader, clock: Clock) -> Response:
    """Show the link to invite friends with, or the welcome page if the visitor is not signed in.

    With `extend` in the query, as in the link of the reminder, the form that extends the code is open.
    """
    visitor = await cookies.visitor(request)
    if visitor is None and EXTEND in request.query_params:
        query = urlencode({"next": link(request, f"/?{EXTEND}")})
        return see_other(f"{link(request, '/sign-in')}?{query}")
    if visitor is None:
        return page(request, "welcome.html")
    return await _page(request, reader, visitor, now=clock())


@router.post("/")
async def create_code(request: Request, visitor: PageVisitor, session: Session, clock: Clock) -> Response:
    """Create an active or a prepared code. A form that is sent twice creates one code."""
    form = await read_form(request)
    given = {name: form[name].strip() for name in CODE_FIELDS if name in form}
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
    return _done(request, "created" if body.active else "prepared")


@router.post("/code/activate")
async def activate_code(request: Request, visitor: PageVisitor, session: Session, clock: Clock) -> Response:
    form = await read_form(request)
    owner = await users.lock(session, visitor.user_id)
    try:
        async with session.begin_nested():
            code, replace = form.get("of", ""), "replace" in form
            services = services_of(request)
            await service.activate(session, services, owner, code, replace=replace, now=clock())
    except AppError as error:
        return await _page(request, session, visitor, now=clock(), error=error)
    return _done(request, "activated")


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
    return _done(request, "updated")


@router.post("/code/delete")
async def delete_code(request: Request, visitor: PageVisitor, session: Session, clock: Clock) -> Response:
    """Delete a code. A form that is sent twice is not an error."""
    form = await read_form(request)
    owner = await users.lock(session, visitor.user_id)
    with suppress(service.CodeNotFound):
        await service.delete(session, services_of(request), owner, form.get("of", ""), now=clock())
    return _done(request, "deleted")


@router.post("/account/invitation")
async def invite(request: Request, visitor: PageVisitor, session: Session, clock: Clock) -> Response:
    """Invite a friend by e-mail. The page is the same for every address."""
    services, given = services_of(request), {"email": (await read_form(request)).get("email", "").strip()}
    sender = await users.lock(session, visitor.user_id)
    try:
        body = InvitationCreate(**{name: text for name, text in given.items() if text})
        async with session.begin_nested():
            await invitations.invite(session, services, sender, body.email, now=clock())
    except (ValidationError, AppError) as error:
        return await _page(request, session, visitor, now=clock(), given=given, error=error)
    return _done(request, "invitation")


def _done(request: Request, what: str) -> Response:
    """Redirect to the page, which says what was done."""
    return see_other(f"{link(request, '/')}?done={what}")


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
    """Return the page. `given` and `change` are the refused fields of a new code, or of a change."""
    services = services_of(request)
    # Before `session` holds a connection: waiting for a second one while holding the first can deadlock the pool.
    by_status = await statistics.count_by_status(services.database, visitor.user_id)
    programs = await services.programs.all()
    user = await users.get(session, visitor.user_id)
    current = await service.current_code(session, user)
    code = current if current and current.is_usable(now) else None
    prepared = await service.list_codes(
        session, visitor.user_id, status=CodeStatus.PREPARED, after=None, limit=MAX_PREPARED, now=now
    )
    program = programs.get(code.program_id) if code else None
    url = _link(request, code) if code else ""
    said = share_text(services.settings, services.page_cookies.language(request))
    errors = error_context(request, error, FIELDS)
    if change:
        errors["errors"] = {f"new_{name}": text for name, text in errors["errors"].items()}
    return page(
        request,
        "home.html",
        here=link(request, "/"),
        **errors,
        current=current,
        is_open=EXTEND in request.query_params,
        change=change or _current_values(current, now),
        user=user,
        code=code,
        is_running=program is None or program.is_running(now),
        url=url,
        left=_remaining(code.expires_at - now) if code else None,
        share_text=said,
        shares=_share_links(said, url),
        prepared=prepared[:MAX_PREPARED],
        given={"lifetime": MONTH, "code": "", "max_uses": "", "email": ""} | dict(given or {}),
        joined=by_status.get(ReferralStatus.CONFIRMED, 0),
        pending=by_status.get(ReferralStatus.PENDING, 0),
        done=done_text(request, DONE) if error is None else None,
        latest=await _latest(session, visitor, now=now),
        form_token=services.page_cookies.form_token(visitor),
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


def _share_links(said: str, url: str) -> Mapping[str, str]:
    """Return links that share `url` by e-mail and on social networks, without loading scripts of these."""
    text, target = quote(said, safe=""), quote(url, safe="")
    return {
        "E-mail": f"mailto:?subject={text}&body={target}",
        "WhatsApp": f"https://wa.me/?text={text}%20{target}",
        "Telegram": f"https://t.me/share/url?url={target}&text={text}",
        "X": f"https://x.com/intent/post?text={text}&url={target}",
    }
