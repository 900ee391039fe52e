"""/admin/programs/{slug}/clicks: where the clicks on the links of a program come from."""

from fastapi import Request, Response

from goodword.admin import clicks
from goodword.admin.pages.access import Administrator, admin_page, read_search, router as admin_router
from goodword.codes import code_format
from goodword.jobs.admin import MAX_COUNTED
from goodword.programs.service import ProgramNotFound
from goodword.services import services_of
from goodword.web.dependencies import Clock, Reader

router = admin_router()


@router.get("/programs/{slug}/clicks")
async def show_clicks(
    slug: str, request: Request, visitor: Administrator, reader: Reader, clock: Clock
) -> Response:
    """Show the hosts with the most clicks in 30 days, also those on the link of one code."""
    services = services_of(request)
    # Not by `reader`, which would hold its connection while the reads below wait for another.
    program = await services.programs.by_slug(slug)
    if program is None:
        raise ProgramNotFound
    text, wrong = read_search(request)
    key = code_format.normalise(text)
    code = await services.linked_codes.get(key) if key else None
    is_unknown = bool(text) and (code is None or code.program_id != program.id)
    rows = (
        []
        if is_unknown
        else await clicks.by_host(
            services.database, program_id=program.id, code_id=code.id if code else None, now=clock()
        )
    )
    return await admin_page(
        request,
        reader,
        visitor,
        "admin_clicks.html",
        program=program,
        text=text,
        wrong=wrong,
        is_unknown=is_unknown,
        rows=rows,
        total=sum(row.clicks for row in rows),
        max_hosts=clicks.MAX_HOSTS,
        max_counted=MAX_COUNTED,
    )
