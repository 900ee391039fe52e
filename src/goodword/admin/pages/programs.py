"""/admin/programs: the terms of the programs, and a form that changes one or creates another."""

import re
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

from fastapi import Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.admin import tables
from goodword.admin.pages import lists
from goodword.admin.pages.access import Administrator, router as admin_router
from goodword.errors import AppError
from goodword.languages import to_translate
from goodword.programs import service
from goodword.programs.fields import DAY
from goodword.programs.models import Program
from goodword.programs.schemas import ProgramCreate, ProgramUpdate
from goodword.services import services_of
from goodword.sessions.cookies import Visitor
from goodword.users import service as users
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.forms import read_form
from goodword.web.html.form_errors import error_context
from goodword.web.html.rendering import done_text, link, page, see_other

router = admin_router()

FIELDS = tuple(ProgramCreate.model_fields)
TIMES = ("starts_at", "ends_at")
CAN_BE_EMPTY = {"starts_at", "ends_at", "link_target", "code_lifetime", "remember_touch"}
IN_DAYS = ("code_lifetime", "attribution_window", "late_entry_grace")
DONE = {
    "created": to_translate("The program has been created."),
    "changed": to_translate("Your changes have been saved."),
}


@router.get("/programs")
@router.get("/programs.csv")
async def show_programs(request: Request, visitor: Administrator, reader: Reader, clock: Clock) -> Response:
    """Show all programs."""
    asked, now = lists.read(request, "/admin/programs", tables.PROGRAMS), clock()
    if lists.is_file(request):
        return await lists.send_file(request, asked, tables.find_all, now=now)
    return await lists.show(
        request, reader, visitor, "admin_programs.html", asked, tables.find_all, done=DONE, now=now
    )


@router.get("/programs/new")
async def show_new_program(request: Request, visitor: Administrator, reader: Reader) -> Response:
    return await _page(request, reader, visitor, None, _defaults())


@router.post("/programs/new")
async def create_program(
    request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    given = await _read(request)
    await users.lock(
        session, visitor.user_id
    )  # before the block that shows errors: it raises for a lost right
    try:
        body = ProgramCreate.model_validate({name: _value(name, text) for name, text in given.items()})
        async with session.begin_nested():
            await service.create(session, services_of(request).settings, body, now=clock())
    except (ValidationError, AppError) as error:
        return await _page(request, session, visitor, None, given, error=error)
    return see_other(f"{link(request, '/admin/programs')}?done=created")


@router.get("/programs/{slug}")
async def show_program(slug: str, request: Request, visitor: Administrator, reader: Reader) -> Response:
    program = await service.get(reader, slug)
    return await _page(request, reader, visitor, program, _texts(program))


@router.post("/programs/{slug}")
async def change_program(slug: str, request: Request, visitor: Administrator, session: Session) -> Response:
    """Change the fields whose texts differ: those of a form have minutes and days, not seconds."""
    given = await _read(request)
    program = await service.get(session, slug)
    before = _texts(program)
    try:
        changes = {name: _value(name, text) for name, text in given.items() if text != before[name]}
        body = ProgramUpdate.model_validate(changes)
        async with session.begin_nested():
            await service.update(session, services_of(request).settings, slug, body, within=None)
    except (ValidationError, AppError) as error:
        return await _page(request, session, visitor, program, given, error=error)
    return see_other(f"{link(request, f'/admin/programs/{slug}')}?done=changed")


async def _read(request: Request) -> dict[str, str]:
    """Return the fields of a form. An empty one counts as left out, unless the program can do without it."""
    form = await read_form(request)
    return {name: form.get(name, "").strip() for name in FIELDS if name in form or name in CAN_BE_EMPTY}


async def _page(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    program: Program | None,
    given: Mapping[str, str],
    *,
    error: AppError | ValidationError | None = None,
) -> Response:
    """Return the page of a program, or of a new one. `given` are the texts in the form."""
    return page(
        request,
        "admin_program.html",
        **error_context(request, error, FIELDS),
        here=link(request, f"/admin/programs/{program.slug if program else 'new'}"),
        user=await users.get(session, visitor.user_id),
        program=program,
        given={name: given.get(name, "") for name in FIELDS},
        done=done_text(request, DONE) if error is None else None,
        form_token=services_of(request).page_cookies.form_token(visitor),
    )


def _defaults() -> Mapping[str, str]:
    fields = ProgramCreate.model_fields.items()
    return _as_texts({name: field.default for name, field in fields if not field.is_required()})


def _texts(program: Program) -> Mapping[str, str]:
    return _as_texts({name: getattr(program, name) for name in FIELDS})


def _as_texts(values: Mapping[str, Any]) -> Mapping[str, str]:
    return {name: _text(name, values.get(name)) for name in FIELDS}


def _text(name: str, value: Any) -> str:
    """Return the text of a value in the form: a time to the minute in UTC, and a period in days."""
    if value is None or value is False:
        return ""
    if name in TIMES:
        return f"{value:%Y-%m-%dT%H:%M}"
    if name in IN_DAYS:
        return f"{value / DAY:.6g}"
    return "on" if value is True else str(value)


def _value(name: str, text: str) -> Any:
    """Return the value of a text. The schema reports what is wrong with another text."""
    if name == "remember_touch":
        return bool(text)
    if name in TIMES and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d", text, re.ASCII):
        return f"{text}:00Z"
    if name in IN_DAYS and len(text) < 20:
        with suppress(InvalidOperation, ValueError, OverflowError):
            return round(Decimal(text.replace(",", ".")) * DAY)
    return text or None
