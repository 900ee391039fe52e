"""API of referral codes: the endpoints of the owner and the public look-ups."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Request, Response
from starlette.types import Receive, Scope, Send

from goodword.codes import code_format, lookup, service, terms
from goodword.codes.models import CodeStatus
from goodword.codes.parameters import Code
from goodword.codes.representation import read
from goodword.codes.schemas import (
    CodeActivate,
    CodeCreate,
    CodeFound,
    CodeFoundByEmail,
    CodeList,
    CodeRead,
    CodeUpdate,
)
from goodword.errors import TokenInvalid, Unauthorized
from goodword.rate_limits import dependencies
from goodword.rate_limits.dependencies import after_lookup, before_lookup
from goodword.services import services_of
from goodword.sessions.auth import CodesReader, CodesViewer, CodesWriter, authenticate
from goodword.users import addresses, service as users
from goodword.users.addresses import Email
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.idempotency import Answer, IdempotentWriteDependency, KeyInUse, KeyReused
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems
from goodword.web.paging import Cursor, CursorInvalid, Limit


class LookupRoute(JsonRoute):
    """A route that answers a repeated request from memory before FastAPI parses it.

    Look-ups are by far the most frequent requests.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        services, target = services_of(scope), (scope["path"], scope["query_string"])
        before_lookup(scope, missing=_limit_for_misses(scope))
        answer = services.cache.peek(target) if scope["method"] == "GET" else None
        if answer is None:
            await super().handle(scope, receive, send)
            return
        if target[0] == BY_EMAIL:
            await _check_access(Request(scope))
        if answer == lookup.NOT_FOUND:
            await _check_found(scope, answer)
        await _json(answer)(scope, receive, send)


def warm_answer(scope: Scope) -> bytes | None:
    """Return the answer to a repeated look-up that found a code, if memory has it, and count the look-up."""
    path = scope["path"]
    if not path.startswith(public_router.prefix):
        return None
    services = services_of(scope)
    answer = services.cache.peek((path, scope["query_string"]))
    is_open = path != BY_EMAIL or services.settings.code_lookup == "public"
    if answer is None or answer == lookup.NOT_FOUND or not is_open:
        return None
    scope["route"] = public_router.routes[0 if path == BY_EMAIL else 1]
    before_lookup(scope, missing=_limit_for_misses(scope))
    return answer


owner_router = APIRouter(
    prefix="/api/v1/me/referral-codes", tags=["Your referral codes"], route_class=JsonRoute
)
public_router = APIRouter(
    prefix="/api/v1/referral-codes", tags=["Looking up a code"], route_class=LookupRoute
)
BY_EMAIL = f"{public_router.prefix}/by-email"


@owner_router.post(
    "",
    summary="Create a code",
    status_code=201,
    response_model=CodeRead,
    responses=problems(
        service.ActiveCodeExists,
        service.CodeTaken,
        service.TooManyCodes,
        terms.TermMissing,
        terms.TermAmbiguous,
        terms.TermTooShort,
        terms.TermTooLong,
        code_format.CodeInvalid,
        code_format.CodeReserved,
        KeyReused,
        KeyInUse,
        location="/api/v1/me/referral-codes/7KQ2M9XWPA",
    ),
)
async def create_code(
    body: CodeCreate,
    request: Request,
    caller: CodesWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Create a code with a limited term. Only one of your codes can be active at a time.

    Give either `lifetime` or `expires_at`. With `active: false` the code is prepared: you can activate it later.
    Without `code` a random one is generated.
    """

    async def effect(_: None) -> Answer:
        owner = await users.lock(session, caller.user_id)
        now = clock()
        code = await service.create(session, services_of(request), owner, body, now=now)
        answer = read(services_of(request), code, now)
        return Answer(answer, location=f"{owner_router.prefix}/{code.code}", user_id=owner.id)

    return await once.run(session, body, caller=str(caller.user_id), effect=effect)


@owner_router.get("", summary="List your codes", responses=problems(CursorInvalid))
async def list_codes(
    request: Request,
    caller: CodesViewer,
    reader: Reader,
    clock: Clock,
    status: Annotated[CodeStatus | None, Query(description="Only codes with this status.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> CodeList:
    """Return your codes, newest first. Deleted codes are left out."""
    now = clock()
    cursors, name = services_of(request).cursors, f"codes {caller.user_id} {status}"
    found = await service.list_codes(
        reader, caller.user_id, status=status, after=cursors.read(cursor, of=name), limit=limit, now=now
    )
    rows, following = cursors.cut(found, limit, of=name)
    return CodeList(items=[read(services_of(request), code, now) for code in rows], next_cursor=following)


@owner_router.get("/{code:pasted}", summary="Get a code", responses=problems(service.CodeNotFound))
async def get_code(
    code: Code, request: Request, caller: CodesReader, reader: Reader, clock: Clock
) -> CodeRead:
    """Return one of your codes, in any state."""
    return read(services_of(request), await service.get(reader, caller.user_id, code), clock())


@owner_router.post(
    "/{code:pasted}/activate",
    summary="Activate a code",
    responses=problems(
        service.CodeNotFound, service.ActiveCodeExists, service.CodeExpired, service.CodeRetired
    ),
)
async def activate_code(
    code: Code,
    request: Request,
    caller: CodesWriter,
    session: Session,
    clock: Clock,
    body: Annotated[CodeActivate, Body(default_factory=CodeActivate)],
) -> CodeRead:
    """Activate a prepared code. An active code stays active.

    With `replace: true` the code that is active now is retired in the same step. A retired code stays retired.
    """
    owner = await users.lock(session, caller.user_id)
    now = clock()
    services = services_of(request)
    activated = await service.activate(session, services, owner, code, replace=body.replace, now=now)
    return read(services, activated, now)


@owner_router.patch(
    "/{code:pasted}",
    summary="Change a code",
    responses=problems(
        service.CodeNotFound,
        service.ActiveCodeExists,
        service.CodeRetired,
        terms.TermAmbiguous,
        terms.TermTooShort,
        terms.TermTooLong,
        service.MaxUsesTooLow,
    ),
)
async def update_code(
    code: Code, body: CodeUpdate, request: Request, caller: CodesWriter, session: Session, clock: Clock
) -> CodeRead:
    """Extend or shorten the term, change the number of uses, or hide the code from look-ups by your e-mail address.

    The bounds of the term are those of a new code, from now. An expired or used-up code can be used again, unless
    another one was activated since: then it is retired. Friends who know a hidden code can use it.
    """
    owner = await users.lock(session, caller.user_id)
    now = clock()
    return read(services_of(request), await service.update(session, owner, code, body, now=now), now)


@owner_router.delete(
    "/{code:pasted}", summary="Delete a code", status_code=204, responses=problems(service.CodeNotFound)
)
async def delete_code(
    code: Code, request: Request, caller: CodesWriter, session: Session, clock: Clock
) -> None:
    """Delete a code. It stops working at once and is never issued again. Its referrals stay."""
    owner = await users.lock(session, caller.user_id)
    await service.delete(session, services_of(request), owner, code, now=clock())


@public_router.get(
    "/by-email",
    summary="Find a code by the referrer's address",
    response_model=CodeFoundByEmail,
    responses=problems(service.CodeNotFound, Unauthorized, TokenInvalid),
)
async def find_code_by_email(
    request: Request,
    clock: Clock,
    email: Annotated[Email, Query(description="The referrer's e-mail address.")],
) -> Response:
    """Return the usable code of the user with this e-mail address, unless it is hidden.

    The answer is the same for an unknown address, no code, and an expired, deleted, used-up or hidden code.
    """
    await _check_access(request)
    key = addresses.parse(email).key
    _note(request, lookup.email_cache_key(key))
    found = await lookup.get_json_by_email(services_of(request), key, now=clock())
    await _check_found(request.scope, found)
    return _json(found)


@public_router.get(
    "/{code:pasted}",
    summary="Look up a code",
    response_model=CodeFound,
    responses=problems(service.CodeNotFound),
)
async def find_code(code: Code, request: Request, clock: Clock) -> Response:
    """Return a usable code, when it expires, and the name of the referrer."""
    key = code_format.normalise(code)
    found = lookup.NOT_FOUND
    if key is not None:
        _note(request, lookup.cache_key(key))
        found = await lookup.get_json(services_of(request), key, now=clock())
    await _check_found(request.scope, found)
    return _json(found)


async def _check_access(request: Request) -> None:
    access = services_of(request).settings.code_lookup
    if access == "off":
        await _check_found(request.scope, lookup.NOT_FOUND)
    if access == "authenticated":
        await authenticate(request)


def _note(request: Request, name: str) -> None:
    cache = services_of(request).cache
    cache.note((request.scope["path"], request.scope["query_string"]), name)


async def _check_found(scope: Scope, content: bytes) -> None:
    """Count the look-up. Raises `CodeNotFound` if it found no code."""
    await after_lookup(scope, found=content != lookup.NOT_FOUND, missing=_limit_for_misses(scope))
    if content == lookup.NOT_FOUND:
        raise service.CodeNotFound


def _limit_for_misses(scope: Scope) -> str:
    return dependencies.BY_EMAIL if scope["path"] == BY_EMAIL else dependencies.BY_CODE


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")
