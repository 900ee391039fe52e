"""/admin: the overview, with statistics."""

from fastapi import Request, Response

from goodword.admin import statistics
from goodword.admin.pages.access import Administrator, admin_page, router as admin_router
from goodword.jobs import admin as jobs
from goodword.jobs.admin import MAX_COUNTED
from goodword.services import services_of
from goodword.web.dependencies import Clock, Reader
from goodword.web.html import charts

router = admin_router()


@router.get("")
async def show_statistics(request: Request, visitor: Administrator, reader: Reader, clock: Clock) -> Response:
    """Show sign-ups, top referrers, expiring codes, jobs and e-mail counts."""
    database, now = services_of(request).database, clock()
    days = await statistics.sign_ups_by_day(database, now=now)
    open_jobs = await statistics.count_open_jobs(database, now=now)
    joined = sum(day.joined for day in days)
    by_code = sum(day.by_code for day in days)
    chart = charts.build([(day.joined, day.by_code) for day in days])
    return await admin_page(
        request,
        reader,
        visitor,
        "admin_statistics.html",
        days=days,
        chart=chart,
        bars=[(day.day, day.joined, day.by_code, bar) for day, bar in zip(days, chart.bars, strict=True)],
        joined=joined,
        by_code=by_code,
        share=round(100 * by_code / joined) if joined else 0,
        top=await statistics.top_referrers(database, now=now),
        ending=await statistics.count_expiring_codes(database, now=now),
        jobs={state: sum(counts[state] for counts in open_jobs.values()) for state in jobs.STATES},
        emails=await statistics.count_emails(database, open_jobs, now=now),
        max_counted=MAX_COUNTED,
    )
