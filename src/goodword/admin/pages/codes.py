"""/admin/codes: search and revoke codes."""

from contextlib import suppress
from dataclasses import replace
from functools import partial

from fastapi import Request, Response

from goodword.admin import tables
from goodword.admin.pages import lists
from goodword.admin.pages.access import Administrator, router as admin_router
from goodword.admin.pages.users import DONE
from goodword.codes import service
from goodword.codes.models import CodeStatus
from goodword.services import services_of
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.forms import local_path, read_form
from goodword.web.html.rendering import see_other

router = admin_router()


@router.get("/codes")
@router.get("/codes.csv")
async def show_codes(request: Request, visitor: Administrator, reader: Reader, clock: Clock) -> Response:
    """Show codes by string, owner and status, or those that expire soon."""
    now = clock()
    choices = {*CodeStatus, tables.ENDING}
    programs = await services_of(request).programs.all()
    table = tables.with_program(tables.codes(now), programs)
    if request.query_params.get("status") == tables.ENDING:
        table = replace(table, default="expires")
    asked = lists.read(request, "/admin/codes", table, choices=choices)
    find = partial(tables.find_codes, text=asked.text, status=asked.choice, now=now)
    if lists.is_file(request):
        return await lists.send_file(request, asked, find, now=now)
    return await lists.show(
        request, reader, visitor, "admin_codes.html", asked, find, done=DONE, now=now, programs=programs
    )


@router.post("/codes/revoke")
async def revoke(request: Request, session: Session, clock: Clock) -> Response:
    """Revoke a code and redirect to the previous page. Repeating the request changes nothing."""
    form = await read_form(request)
    with suppress(service.CodeNotFound):
        await service.revoke(session, services_of(request), form.get("of", ""), now=clock())
    back = local_path(request, form.get("back"))
    return see_other(f"{back}{'&' if '?' in back else '?'}done=revoked")
