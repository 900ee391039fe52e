"""/admin/jobs: counts of jobs, and dead jobs to retry."""

import re

from fastapi import Request, Response

from goodword.admin import statistics, tables
from goodword.admin.pages import lists
from goodword.admin.pages.access import Administrator, read_id, router as admin_router
from goodword.jobs import admin
from goodword.languages import to_translate
from goodword.services import services_of
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.forms import read_form
from goodword.web.html.rendering import link, see_other

router = admin_router()

KIND = re.compile(r"[a-z_]{1,64}")
DONE = {
    "again": to_translate("The job will run again."),
    "nothing": to_translate("There are no failed jobs to retry."),
}


@router.get("/jobs")
@router.get("/jobs.csv")
async def show_jobs(request: Request, visitor: Administrator, reader: Reader, clock: Clock) -> Response:
    """Show the number of jobs by kind, and the dead ones, latest first, without payloads."""
    services, now = services_of(request), clock()
    asked = lists.read(request, "/admin/jobs", tables.DEAD_JOBS)
    if lists.is_file(request):
        return await lists.send_file(request, asked, tables.find_dead_jobs, now=now)
    # Before `reader` holds a connection: waiting for a second one while holding the first can deadlock the pool.
    counts = await statistics.count_open_jobs(services.database, now=now)
    longest_due = await admin.oldest_due(services.database, now=now)
    return await lists.show(
        request,
        reader,
        visitor,
        "admin_jobs.html",
        asked,
        tables.find_dead_jobs,
        done=DONE,
        counts=counts,
        longest_due=longest_due,
        email_kinds=statistics.EMAIL_KINDS,
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
