"""API of the validation of a code."""

from fastapi import APIRouter, Request

from goodword.api_keys.auth import OptionalParticipantsReader
from goodword.attribution import validation
from goodword.attribution.schemas import CodeValidate, CodeValidity
from goodword.codes import code_format, lookup
from goodword.programs.service import ProgramNotFound
from goodword.rate_limits.dependencies import after_lookup, before_lookup
from goodword.services import services_of
from goodword.web.dependencies import Clock, Reader
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems

router = APIRouter(prefix="/api/v1/referral-codes", tags=["Looking up a code"], route_class=JsonRoute)


@router.post(
    "/validate",
    summary="Validate a code",
    response_model_exclude_none=True,
    responses=problems(ProgramNotFound),
)
async def validate_code(
    body: CodeValidate, request: Request, server: OptionalParticipantsReader, reader: Reader, clock: Clock
) -> CodeValidity:
    """Say whether a code can be used now, and to a server why not. Nothing is written.

    With an API key and a `participant` the answer is about this person: their own code, a second referrer and a
    circle are refused. A participant who is unknown to the key counts as a new person. Others than servers learn
    `usable` only, which a look-up of the code tells as well.
    """
    services = services_of(request)
    if server is not None:
        return await validation.validate(reader, services, body, limit=server.program_id, now=clock())
    before_lookup(request.scope)
    key = code_format.normalise(body.code)
    usable = key is not None and await lookup.get_json(services, key, now=clock()) != lookup.NOT_FOUND
    if usable and body.program is not None:
        usable = await validation.is_in_program(reader, services, body)
    await after_lookup(request.scope, found=usable)
    return CodeValidity(usable=usable)
