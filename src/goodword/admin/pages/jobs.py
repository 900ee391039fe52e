"""/admin/jobs: counts of jobs, and dead jobs to retry."""

import re

from fastapi import Request, Response

from goodword.admin import statistics
from goodword.admin.pages.access import Administrator, admin_page, read_id, router as admin_router
from goodword.admin.pages.users import PAGE_SIZE
from goodword.db.keyset import Position
from goodword.jobs import admin
from goodword.languages import to_translate
from goodword.services import services_of
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.forms import read_form
from goodword.web.html.rendering import link, see_other

router = admin_router()

KIND = re.compile(r"[a-z_]{1,64}")
LIST = "pages of dead jobs"
DONE = {
    "again": to_translate("The job will run again."),
    "nothing": to_translate("There are no failed jobs to retry."),
}


@router.get("/jobs")
async def show_jobs(request: Request, visitor: Administrator, reader: Reader, clock: Clock) -> Response:
    """Show the number of jobs by kind, and the dead ones, latest first, without payloads."""
    services, now = services_of(request), clock()
    after = services.cursors.read(request.query_params.get("cursor"), of=LIST)
    # Before `reader` holds a connection: waiting for a second one while holding the first can deadlock the pool.
    counts = await statistics.count_open_jobs(services.database, now=now)
    longest_due = await admin.oldest_due(services.database, now=now)
    found = await admin.list_dead(reader, limit=PAGE_SIZE + 1, after=after)
    dead, following = services.cursors.cut(
        found, PAGE_SIZE, of=LIST, place=lambda job: Position(job.finished_at or now, job.id)
    )
    return await admin_page(
        request,
        reader,
        visitor,
        "admin_jobs.html",
        done=DONE,
        counts=counts,
        longest_due=longest_due,
        dead=dead,
        email_kinds=statistics.EMAIL_KINDS,
        following=following,
        max_counted=admin.MAX_COUNTED,
    )


@router.post("/jobs/retry")
async def retry(request: Request, session: Session, clock: Clock) -> Response:
    """Retry one dead job, or all of a kind. Repeating the request changes nothing."""
    form = await read_form(request)
    kind, job_id, count = form.get("kind", ""), read_id(form.get("of", "")), 0
    if KIND.fullmatch(kind):
        count = await admin.retry(session, kind=kind, now=clock())
    elif job_id is not None:
        count = await admin.retry(session, job_id=job_id, now=clock())
    return see_other(f"{link(request, '/admin/jobs')}?done={'again' if count else 'nothing'}")
