"""GET /admin: the figures."""

from collections.abc import Sequence
from typing import NamedTuple

from fastapi import Request, Response

from goodword.admin import statistics
from goodword.admin.pages.access import Administrator, admin_page, router as admin_router
from goodword.jobs import admin as jobs
from goodword.jobs.admin import MAX_COUNTED
from goodword.services import services_of
from goodword.web.dependencies import Clock, Reader

router = admin_router()

WIDTH, HEIGHT, GAP = 600, 120, 3


class Bar(NamedTuple):
    """A day: how high it stands, and how much of that came by a code."""

    x: int
    width: int
    joined: int
    by_code: int


@router.get("")
async def show_statistics(request: Request, visitor: Administrator, reader: Reader, clock: Clock) -> Response:
    """Who joins, who brings them, which codes end soon, whether jobs are done and letters go out."""
    database, now = services_of(request).database, clock()
    days = await statistics.days(database, now=now)
    open_jobs = await statistics.open_jobs(database, now=now)
    joined = sum(day.joined for day in days)
    by_code = sum(day.by_code for day in days)
    return await admin_page(
        request,
        reader,
        visitor,
        "admin_statistics.html",
        days=days,
        bars=bars(days),
        size=(WIDTH, HEIGHT),
        joined=joined,
        by_code=by_code,
        share=round(100 * by_code / joined) if joined else 0,
        most=max(day.joined for day in days),
        top=await statistics.top_referrers(database, now=now),
        ending=await statistics.codes_ending(database, now=now),
        jobs={state: sum(counts[state] for counts in open_jobs.values()) for state in jobs.STATES},
        letters=await statistics.emails(database, open_jobs, now=now),
        looked_at=MAX_COUNTED,
    )


def bars(days: Sequence[statistics.Day]) -> Sequence[Bar]:
    """One for each day, the highest as high as the picture; a day with nobody is a line at its foot."""
    step, most = WIDTH // len(days), max(*(day.joined for day in days), 1)
    return [
        Bar(
            number * step,
            step - GAP,
            max(round(day.joined * HEIGHT / most), 1),
            round(min(day.by_code, day.joined) * HEIGHT / most),
        )
        for number, day in enumerate(days)
    ]
