"""/admin/codes: the codes of everybody, and taking one out of force."""

from contextlib import suppress
from urllib.parse import urlencode

from fastapi import Request, Response

from goodword.admin import search, service
from goodword.admin.pages.access import Administrator, admin_page, router as admin_router, searched
from goodword.admin.pages.users import AT_ONCE, DONE
from goodword.codes.models import CodeStatus
from goodword.codes.service import CodeNotFound
from goodword.services import services_of
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.forms import local_path, read_form
from goodword.web.html.rendering import link, see_other

router = admin_router()

ENDING = "ending"
"""Not a state: those in force that end within a week."""


@router.get("/codes")
async def show_codes(request: Request, visitor: Administrator, reader: Reader, clock: Clock) -> Response:
    """Codes, newest first, by string and state; or those that end soon, the next to end first."""
    (text, wrong), cursors, now = searched(request), services_of(request).cursors, clock()
    asked, cursor = request.query_params.get("status", ""), request.query_params.get("cursor")
    status = CodeStatus(asked) if asked in set(CodeStatus) else None
    name = f"pages of codes {asked if asked == ENDING else status} {text!r}"
    found: search.Page[search.Owned] = search.Page([])
    if not wrong:
        after = cursors.read(cursor, of=name)
        if asked == ENDING and not text:
            found = await search.codes_ending(reader, after=after, limit=AT_ONCE, now=now)
        else:
            found = await search.all_codes(
                reader, part=text or None, status=status, after=after, limit=AT_ONCE, now=now
            )
    return await admin_page(
        request,
        reader,
        visitor,
        "admin_codes.html",
        done=DONE,
        found=found,
        now=now,
        following=cursors.write(found.following, of=name) if found.following else None,
        is_first=cursor is None,
        text=text,
        wrong={"q": wrong} if wrong else {},
        chosen=ENDING if asked == ENDING else status or "",
        stretch=search.STRETCH,
        back=f"{link(request, '/admin/codes')}?{urlencode({'q': text, 'status': asked if asked == ENDING else status or ''})}",
    )


@router.post("/codes/revoke")
async def revoke(request: Request, session: Session, clock: Clock) -> Response:
    """Take a code out of force for good, and go back to the page it was on. Sent again, it is so already."""
    form = await read_form(request)
    with suppress(CodeNotFound):
        async with session.begin_nested():
            await service.revoke_code(session, form.get("of", ""), now=clock())
    back = local_path(form.get("back"))
    return see_other(f"{back}{'&' if '?' in back else '?'}done=revoked")
