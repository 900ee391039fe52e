"""One's own referral codes, and looking up those of others."""

import math
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response
from starlette.types import Receive, Scope, Send

from goodword.cache.memory import CacheEntry
from goodword.codes import code_format, lookup, service
from goodword.codes.models import CodeStatus, ReferralCode
from goodword.codes.schemas import (
    CodeActivate,
    CodeCreate,
    CodeFound,
    CodeFoundByEmail,
    CodeList,
    CodeRead,
    CodeUpdate,
    Referrer,
)
from goodword.errors import TokenInvalid, Unauthorized
from goodword.rate_limits.dependencies import after_lookup, before_lookup
from goodword.services import services_of
from goodword.sessions.auth import CodesReader, CodesWriter, authenticate
from goodword.users import addresses, service as users
from goodword.users.addresses import Email
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.idempotency import Answer, IdempotentWriteDependency, KeyInUse, KeyReused
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems
from goodword.web.paging import Cursor, CursorInvalid, Limit


class LookupRoute(JsonRoute):
    """Asked again in the same words, it answers from memory, before the framework parses anything.

    Codes are looked up far more often than all else is done, and this is where that is cheap.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        services, target = services_of(scope), (scope["path"], scope["query_string"])
        before_lookup(scope)
        answer = services.cache.peek(target) if scope["method"] == "GET" else None
        if answer is None:
            await super().handle(scope, receive, send)
            return
        if target[0] == BY_EMAIL:
            await _check_access(Request(scope))
        if answer == lookup.NOTHING:
            await _answer(scope, answer)
        await _json(answer)(scope, receive, send)


owner_router = APIRouter(
    prefix="/api/v1/me/referral-codes", tags=["Your referral codes"], route_class=JsonRoute
)
public_router = APIRouter(
    prefix="/api/v1/referral-codes", tags=["Looking up a code"], route_class=LookupRoute
)
BY_EMAIL = f"{public_router.prefix}/by-email"

Code = Annotated[str, Path(description="Case, blanks, hyphens and look-alikes (0/O, 1/I/L) do not matter.")]


@owner_router.post(
    "",
    summary="Create a code",
    status_code=201,
    response_model=CodeRead,
    responses=problems(
        service.ActiveCodeExists,
        service.CodeTaken,
        service.TermMissing,
        service.TermAmbiguous,
        service.TermTooShort,
        service.TermTooLong,
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
    """Make a code for your friends, with a term of validity. One of your codes can be active at a time.

    Give either `lifetime` or `expires_at`. With `active: false` it is prepared for later. Without `code`
    we draw a random one.
    """

    async def prepare() -> None:
        return None

    async def effect(_: None) -> Answer:
        owner = await users.lock(session, caller.user_id)
        now = clock()
        code = await service.issue(
            session,
            owner,
            expires_at=service.expires_at_from(body.expires_at, body.lifetime, now=now),
            wanted=body.code,
            active=body.active,
            max_uses=body.max_uses,
            discoverable=body.discoverable,
            key=services_of(request).keys.referral_codes,
            now=now,
        )
        answer = _read(request, code, now)
        return Answer(answer, location=f"{owner_router.prefix}/{code.code}", user_id=owner.id)

    return await once.run(session, body, caller=str(caller.user_id), prepare=prepare, effect=effect)


@owner_router.get("", summary="List your codes", responses=problems(CursorInvalid))
async def list_codes(
    request: Request,
    caller: CodesReader,
    reader: Reader,
    clock: Clock,
    status: Annotated[CodeStatus | None, Query(description="Only codes in this state.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> CodeList:
    """All your codes but those that you deleted, newest first."""
    now = clock()
    cursors, name = services_of(request).cursors, f"codes {caller.user_id} {status}"
    found = await service.list_codes(
        reader,
        caller.user_id,
        status=status,
        after=cursors.read(cursor, of=name),
        limit=limit,
        now=now,
    )
    rows, following = cursors.cut(found, limit, of=name)
    return CodeList(items=[_read(request, code, now) for code in rows], next_cursor=following)


@owner_router.get("/{code}", summary="Look at a code of yours", responses=problems(service.CodeNotFound))
async def read_code(
    code: Code, request: Request, caller: CodesReader, reader: Reader, clock: Clock
) -> CodeRead:
    """One of your codes, whatever its state."""
    return _read(request, await service.get(reader, caller.user_id, code), clock())


@owner_router.post(
    "/{code}/activate",
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
    """Put a prepared code in force. A code that is active already stays so.

    With `replace: true` the code that is active now is retired for good in the same step.
    """
    owner = await users.lock(session, caller.user_id)
    now = clock()
    return _read(request, await service.activate(session, owner, code, replace=body.replace, now=now), now)


@owner_router.patch("/{code}", summary="Hide or show a code", responses=problems(service.CodeNotFound))
async def update_code(
    code: Code, body: CodeUpdate, request: Request, caller: CodesWriter, session: Session, clock: Clock
) -> CodeRead:
    """Choose whether the code is found by your e-mail address. Whoever has its string can use it either way."""
    owner = await users.lock(session, caller.user_id)
    found = await service.set_discoverable(session, owner, code, discoverable=body.discoverable)
    return _read(request, found, clock())


@owner_router.delete(
    "/{code}", summary="Delete a code", status_code=204, responses=problems(service.CodeNotFound)
)
async def delete_code(code: Code, caller: CodesWriter, session: Session, clock: Clock) -> None:
    """Take a code out of force at once and for ever. Referrals made with it stay.

    Its string is never given out again, to nobody.
    """
    owner = await users.lock(session, caller.user_id)
    await service.delete(session, owner, code, now=clock())


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
    """The code of a person whose e-mail address you know, if they have one that works and do not hide it.

    There is one answer for all who have none: unknown address, no code, expired, deleted, used up, hidden.
    """
    await _check_access(request)
    services, key = services_of(request), addresses.parse(email).key

    async def look_up() -> CacheEntry[bytes]:
        found = await lookup.look_up_by_email(services.database, key, now=clock())
        if found is None:
            return CacheEntry(lookup.NOTHING, math.inf)
        shown = CodeFoundByEmail(
            code=found.code,
            link=link(request, found.code),
            expires_at=found.expires_at,
            referrer=Referrer(display_name=found.referrer),
        )
        return lookup.kept(shown)

    _note(request, lookup.by_email(key))
    found = await services.cache.get(lookup.by_email(key), look_up)
    return await _answer(request.scope, found)


@public_router.get(
    "/{code}", summary="Look up a code", response_model=CodeFound, responses=problems(service.CodeNotFound)
)
async def find_code(code: Code, request: Request, clock: Clock) -> Response:
    """Whether a code can be used now, until when, and who invites with it."""
    key = code_format.normalise(code)
    if key is None:
        return await _answer(request.scope, lookup.NOTHING)
    services = services_of(request)
    _note(request, lookup.by_string(key))
    found = await lookup.shown(services.cache, services.database, key, now=clock())
    return await _answer(request.scope, found)


async def _check_access(request: Request) -> None:
    access = services_of(request).settings.code_lookup
    if access == "off":
        await _answer(request.scope, lookup.NOTHING)
    if access == "authenticated":
        await authenticate(request)


def _note(request: Request, name: str) -> None:
    cache = services_of(request).cache
    cache.note((request.scope["path"], request.scope["query_string"]), name)


async def _answer(scope: Scope, content: bytes) -> Response:
    await after_lookup(scope, found=content != lookup.NOTHING)
    if content == lookup.NOTHING:
        raise service.CodeNotFound
    return _json(content)


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")


def link(request: Request, code: str | None) -> str:
    """Where a friend is sent with it."""
    return f"{services_of(request).settings.public_url}/r/{code}"


def _read(request: Request, code: ReferralCode, now: datetime) -> CodeRead:
    shown: Any = code.code  # never None here: see `service.page`
    return CodeRead(
        code=shown,
        status=code.status(now),
        link=link(request, shown),
        expires_at=code.expires_at,
        created_at=code.created_at,
        activated_at=code.activated_at,
        retired_at=code.retired_at,
        max_uses=code.max_uses,
        uses=code.uses,
        discoverable=code.discoverable,
    )
