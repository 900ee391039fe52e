"""/admin/programs/{slug}/figures: the funnel of a program, and what its rewards cost by month."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from fastapi import Request, Response

from goodword.admin import program_figures, service
from goodword.admin.pages.access import Administrator, admin_page, router as admin_router
from goodword.jobs.admin import MAX_COUNTED
from goodword.languages import to_translate
from goodword.money import decimal_of
from goodword.programs.models import Program
from goodword.programs.service import ProgramNotFound
from goodword.services import services_of
from goodword.web import csv_output
from goodword.web.dependencies import Clock, Reader
from goodword.web.html.rendering import translate_for

router = admin_router()

HEAD = (
    to_translate("Month"),
    to_translate("Kind"),
    to_translate("Currency"),
    to_translate("Pending"),
    to_translate("Approved"),
    to_translate("Fulfilled"),
)


@router.get("/programs/{slug}/figures")
async def show_program_figures(
    slug: str, request: Request, visitor: Administrator, reader: Reader, clock: Clock
) -> Response:
    """Show the funnel of the last thirty days, and the rewards by month."""
    database, program = services_of(request).database, await _program(request, slug)
    # Before `reader` holds a connection: waiting for a second one while holding the first can deadlock the pool.
    funnel = await program_figures.funnel(database, program.id, now=clock())
    costs = await program_figures.costs(database, program.id, now=clock())
    return await admin_page(
        request,
        reader,
        visitor,
        "admin_program_figures.html",
        program=program,
        funnel=funnel,
        costs=costs,
        max_counted=MAX_COUNTED,
    )


@router.get("/programs/{slug}/costs.csv")
async def send_program_costs(slug: str, request: Request, clock: Clock) -> Response:
    """Return the rewards by month as a CSV file. The audit log records it."""
    program = await _program(request, slug)
    async with services_of(request).database.transaction(request.scope["state"]) as session:
        service.record_export(session, "costs")
    now = clock()
    return csv_output.response(f"costs-{program.slug}", _costs(request, program, now), now=now)


async def _costs(
    request: Request, program: Program, now: datetime
) -> AsyncIterator[Sequence[Sequence[object]]]:
    yield [[translate_for(request, text) for text in HEAD]]
    rows = await program_figures.costs(services_of(request).database, program.id, now=now)
    yield [
        [
            row.month,
            row.kind,
            row.currency,
            *(
                int(minor) if row.currency is None else decimal_of(int(minor), row.currency)
                for minor in (row.pending, row.approved, row.fulfilled)
            ),
        ]
        for row in rows
    ]


async def _program(request: Request, slug: str) -> Program:
    program = await services_of(request).programs.by_slug(slug)
    if program is None:
        raise ProgramNotFound
    return program
