"""/admin/codes: search and revoke codes."""

from contextlib import suppress
from urllib.parse import urlencode

from fastapi import Request, Response

from goodword.admin import search
from goodword.admin.pages.access import Administrator, admin_page, read_search, router as admin_router
from goodword.admin.pages.users import DONE, PAGE_SIZE
from goodword.codes import service
from goodword.codes.models import CodeStatus
from goodword.services import services_of
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.forms import local_path, read_form
from goodword.web.html.rendering import link, see_other

router = admin_router()

ENDING = "ending"
"""A filter beside the statuses: active codes that expire within a week."""


@router.get("/codes")
async def show_codes(request: Request, visitor: Administrator, reader: Reader, clock: Clock) -> Response:
    """Show codes by string and status, newest first, or those that expire soon."""
    (text, wrong), cursors, now = read_search(request), services_of(request).cursors, clock()
    asked, cursor = request.query_params.get("status", ""), request.query_params.get("cursor")
    status = CodeStatus(asked) if asked in set(CodeStatus) else None
    name = f"pages of codes {asked if asked == ENDING else status} {text!r}"
    found: search.Page[search.CodeWithOwner] = search.Page([])
    if not wrong:
        after = cursors.read(cursor, of=name)
        if asked == ENDING and not text:
            found = await search.list_expiring_codes(reader, after=after, limit=PAGE_SIZE, now=now)
        else:
            found = await search.list_codes(
                reader, part=text or None, status=status, after=after, limit=PAGE_SIZE, now=now
            )
    return await admin_page(
        request,
        reader,
        visitor,
        "admin_codes.html",
        done=DONE,
        found=found,
        now=now,
        following=cursors.write(found.following, of=name),
        text=text,
        wrong=wrong,
        chosen=ENDING if asked == ENDING else status or "",
        scan_limit=search.SCAN_LIMIT,
        back=f"{link(request, '/admin/codes')}?{urlencode({'q': text, 'status': asked if asked == ENDING else status or ''})}",
    )


@router.post("/codes/revoke")
async def revoke(request: Request, session: Session, clock: Clock) -> Response:
    """Revoke a code and redirect to the previous page. Repeating the request changes nothing."""
    form = await read_form(request)
    with suppress(service.CodeNotFound):
        await service.revoke(session, form.get("of", ""), now=clock())
    back = local_path(request, form.get("back"))
    return see_other(f"{back}{'&' if '?' in back else '?'}done=revoked")
