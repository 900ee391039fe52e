"""API of programs, for the servers of a product and for administrators."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from goodword.api_keys.auth import ProgramsReader, ProgramsWriter
from goodword.errors import Forbidden
from goodword.programs import service
from goodword.programs.schemas import ProgramCreate, ProgramList, ProgramRead, ProgramUpdate
from goodword.services import services_of
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.idempotency import Answer, IdempotentWriteDependency, KeyInUse, KeyReused
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems
from goodword.web.paging import Cursor, CursorInvalid, Limit


class KeyLimited(Forbidden):
    code, detail = "key_limited", "This API key is limited to one program, so it cannot create others."


RULES = (
    service.PeriodInvalid,
    service.LinkTargetMissing,
    service.LinkTargetInsecure,
    service.LinkTargetLoops,
    KeyReused,
    KeyInUse,
)
Slug = Annotated[str, Path(description="The slug of the program.", examples=["acme"])]

router = APIRouter(prefix="/api/v1/programs", tags=["Programs"], route_class=JsonRoute)


@router.get("", summary="List programs", responses=problems(CursorInvalid))
async def list_programs(
    request: Request, caller: ProgramsReader, reader: Reader, limit: Limit = 50, cursor: Cursor = None
) -> ProgramList:
    """Return all programs, newest first. A key that is limited to a program sees this one alone."""
    cursors, name = services_of(request).cursors, f"programs {caller.program_id}"
    found = await service.list_programs(
        reader, within=caller.program_id, after=cursors.read(cursor, of=name), limit=limit
    )
    rows, following = cursors.cut(found, limit, of=name)
    return ProgramList(items=[ProgramRead.model_validate(row) for row in rows], next_cursor=following)


@router.post(
    "",
    summary="Create a program",
    status_code=201,
    response_model=ProgramRead,
    responses=problems(KeyLimited, service.SlugTaken, *RULES, location="/api/v1/programs/acme"),
)
async def create_program(
    body: ProgramCreate,
    request: Request,
    caller: ProgramsWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Create a program beside the default one. Nothing deletes a program: end it instead."""

    async def prepare() -> None:
        if caller.program_id is not None:
            raise KeyLimited

    async def effect(_: None) -> Answer:
        program = await service.create(session, services_of(request).settings, body, now=clock())
        return Answer(ProgramRead.model_validate(program), location=f"{router.prefix}/{program.slug}")

    return await once.run(session, body, caller=caller.caller, prepare=prepare, effect=effect)


@router.get("/{slug}", summary="Get a program", responses=problems(service.ProgramNotFound))
async def get_program(slug: Slug, caller: ProgramsReader, reader: Reader) -> ProgramRead:
    """Return a program. The one that exists from the beginning is `default`."""
    return ProgramRead.model_validate(await service.get(reader, slug, within=caller.program_id))


@router.patch(
    "/{slug}",
    summary="Change a program",
    response_model=ProgramRead,
    responses=problems(service.ProgramNotFound, *RULES),
)
async def update_program(
    slug: Slug,
    body: ProgramUpdate,
    request: Request,
    caller: ProgramsWriter,
    session: Session,
    once: IdempotentWriteDependency,
) -> Response:
    """Change a program. While it is not active, its codes cannot be found or used; afterwards they can again."""

    async def effect(_: None) -> Answer:
        settings = services_of(request).settings
        program = await service.update(session, settings, slug, body, within=caller.program_id)
        return Answer(ProgramRead.model_validate(program), status=200)

    return await once.run(session, body, caller=caller.caller, effect=effect)
