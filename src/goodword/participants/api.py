"""API of participants, for the server of a product."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from goodword.api_keys.auth import ParticipantsReader, ParticipantsWriter
from goodword.attribution import service as attribution
from goodword.codes import code_format, service as codes, terms
from goodword.codes.models import CodeStatus
from goodword.codes.representation import read as read_code
from goodword.codes.schemas import CodeList, CodeRead
from goodword.errors import Conflict, ValidationFailed
from goodword.participants import access, service, state
from goodword.participants.paths import ExternalIdPath, ParticipantRoute
from goodword.participants.schemas import (
    EmbedToken,
    ParticipantCodeCreate,
    ParticipantRead,
    ParticipantReferrals,
    ParticipantWrite,
)
from goodword.privacy import erasure, export
from goodword.programs.fields import Slug
from goodword.programs.service import ProgramNotFound
from goodword.referrals import listing
from goodword.referrals.models import ReferralStatus
from goodword.referrals.schemas import Order
from goodword.services import services_of
from goodword.sessions import embed
from goodword.sessions.tokens import EMBED_LIFETIME
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.idempotency import Answer, IdempotentWriteDependency, KeyInUse, KeyReused
from goodword.web.openapi import free_object, problems
from goodword.web.paging import Cursor, CursorInvalid, Limit

router = APIRouter(prefix="/api/v1/participants", tags=["Participants"], route_class=ParticipantRoute)

EXPORT = {
    "exported_at": "2026-11-01T12:00:00Z",
    "account": {"external_id": "user-42", "reported_email": "alice@example.com", "first_name": "Alice"},
    "codes": [{"code": "7KQ2M9XWPA", "uses": 3}],
    "referrals": [{"referee": {"display_name": "Bob B.", "email_masked": "b***@example.com"}}],
}
"""An excerpt, for the documentation."""

PATH = "/{external_id}"
NOT_FOUND = (access.ParticipantNotFound, ValidationFailed)
"""The errors of every path with an external id."""


@router.put(
    PATH,
    summary="Create or change a participant",
    response_model=ParticipantRead,
    responses={
        **problems(
            access.ExternalIdTaken,
            access.ParticipantDisabled,
            service.TimeInFuture,
            code_format.CodeInvalid,
            ProgramNotFound,
            Conflict,
            KeyReused,
            KeyInUse,
        ),
        201: {"model": ParticipantRead, "description": "Created"},
    },
)
async def upsert_participant(
    external_id: ExternalIdPath,
    body: ParticipantWrite,
    request: Request,
    server: ParticipantsWriter,
    session: Session,
    once: IdempotentWriteDependency,
) -> Response:
    """Report a person of your product. The answer is 201 for a new person, and 200 for one who is known.

    The first call creates the person, gives a code if the program does so by itself, and attributes the person to the
    owner of `referral_code`, or by `touch`. A later call changes the fields that it contains, and never the referrer.
    A code or touch that cannot be used does not fail the call: `referral` is null, and `warnings` contains the reason.

    The address gets no e-mails and is no way to sign in. When a person verifies it with an account of their own, the
    two become one: see the guide.
    """
    services = services_of(request)

    async def prepare() -> access.Scope:
        if claim := service.claim_of(body):
            await attribution.prepare(services, claim)
        return await access.scope_of(services, server.program_id, body.program)

    async def effect(scope: access.Scope) -> Answer:
        done = await service.upsert(session, services, external_id, body, scope)
        content = state.read(services, done.state, done.warnings)
        return Answer(content, status=201 if done.is_new else 200, user_id=done.state.user.id)

    return await once.run(session, body, caller=server.caller, prepare=prepare, effect=effect)


@router.get(PATH, summary="Get a participant", responses=problems(*NOT_FOUND, ProgramNotFound))
async def get_participant(
    external_id: ExternalIdPath,
    request: Request,
    server: ParticipantsReader,
    reader: Reader,
    clock: Clock,
    program: Annotated[Slug | None, Query(description="The program of `code` and `referral`.")] = None,
) -> ParticipantRead:
    """Return a person with the code to share now, and the referral by which the person came."""
    services = services_of(request)
    scope = await access.scope_of(services, server.program_id, program)
    user = await access.find(reader, external_id, server.program_id)
    return state.read(services, await state.state_of(reader, user, scope.within, now=clock()))


@router.delete(
    PATH,
    summary="Erase a participant",
    status_code=204,
    responses=problems(*NOT_FOUND, access.ParticipantAdministers),
)
async def erase_participant(
    external_id: ExternalIdPath, request: Request, server: ParticipantsWriter, session: Session
) -> None:
    """Erase a person immediately and permanently, with the account if there is one. The codes stop working.

    Referrals stay as counts. The external id can be reported again, for a new person.
    """
    user = await access.lock(session, external_id, server.program_id, even_disabled=True)
    if user.is_admin:
        raise access.ParticipantAdministers
    await erasure.erase(session, services_of(request), user)


@router.get(
    f"{PATH}/export",
    summary="Download what is held about a participant",
    response_class=Response,
    responses={
        **problems(*NOT_FOUND, access.ParticipantDisabled),
        **free_object("ParticipantExport", "A JSON document. Fields may be added.", EXPORT),
    },
)
async def export_participant(
    external_id: ExternalIdPath, request: Request, server: ParticipantsReader, session: Session
) -> StreamingResponse:
    """Return all data about a person, for a request of the person to you. Of others it contains what the lists show."""
    services = services_of(request)
    user = await access.lock(session, external_id, server.program_id)
    await export.begin(session, user.id)
    return StreamingResponse(
        export.document(services, user.id),
        media_type="application/json",
        headers=export.headers(services.settings),
    )


@router.get(
    f"{PATH}/referrals",
    summary="List the referrals of a participant",
    responses=problems(*NOT_FOUND, CursorInvalid),
)
async def list_participant_referrals(
    external_id: ExternalIdPath,
    request: Request,
    server: ParticipantsReader,
    reader: Reader,
    status: Annotated[ReferralStatus | None, Query(description="Only referrals with this status.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ParticipantReferrals:
    """Return the people who joined with the codes of this person, newest first."""
    services = services_of(request)
    user = await access.find(reader, external_id, server.program_id)
    name = f"participant's referrals {user.id} {status} {server.program_id}"
    found = await listing.list_referrals(
        services.database,
        user.id,
        filters=listing.Filters(status, program_id=server.program_id),
        order=Order.NEWEST,
        after=services.cursors.read(cursor, of=name),
        limit=limit,
    )
    rows, following = services.cursors.cut(found, limit, of=name)
    items = [listing.shown(row) for row in rows]
    for item, row in zip(items, rows, strict=True):
        item["referee"]["external_id"] = row.external_id
    return ParticipantReferrals.model_validate({"items": items, "next_cursor": following})


@router.get(
    f"{PATH}/codes", summary="List the codes of a participant", responses=problems(*NOT_FOUND, CursorInvalid)
)
async def list_participant_codes(
    external_id: ExternalIdPath,
    request: Request,
    server: ParticipantsReader,
    reader: Reader,
    clock: Clock,
    status: Annotated[CodeStatus | None, Query(description="Only codes with this status.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> CodeList:
    """Return the codes of a person, newest first. Deleted codes are left out."""
    now, services = clock(), services_of(request)
    user = await access.find(reader, external_id, server.program_id)
    name = f"participant's codes {user.id} {status} {server.program_id}"
    found = await codes.list_codes(
        reader,
        user.id,
        status=status,
        program_id=server.program_id,
        after=services.cursors.read(cursor, of=name),
        limit=limit,
        now=now,
    )
    rows, following = services.cursors.cut(found, limit, of=name)
    return CodeList(items=[read_code(services, code, now) for code in rows], next_cursor=following)


@router.post(
    f"{PATH}/codes",
    summary="Create a code of a participant",
    status_code=201,
    response_model=CodeRead,
    responses=problems(
        *NOT_FOUND,
        access.ParticipantDisabled,
        ProgramNotFound,
        codes.ActiveCodeExists,
        codes.CodeTaken,
        codes.TooManyCodes,
        terms.TermMissing,
        terms.TermAmbiguous,
        terms.TermTooShort,
        terms.TermTooLong,
        code_format.CodeInvalid,
        code_format.CodeReserved,
        KeyReused,
        KeyInUse,
        location="/api/v1/referral-codes/7KQ2M9XWPA",
    ),
)
async def create_participant_code(
    external_id: ExternalIdPath,
    body: ParticipantCodeCreate,
    request: Request,
    server: ParticipantsWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Create a code in the name of a person. Only one of a person's codes in a program can be active at a time.

    `Location` is the public look-up of the code.
    """
    services = services_of(request)

    async def prepare() -> access.Scope:
        return await access.scope_of(services, server.program_id, body.program)

    async def effect(scope: access.Scope) -> Answer:
        owner = await access.lock(session, external_id, server.program_id)
        now = clock()
        code = await codes.create(session, services, owner, body, program_id=scope.program.id, now=now)
        location = f"/api/v1/referral-codes/{code.code}"
        return Answer(read_code(services, code, now), location=location, user_id=owner.id)

    return await once.run(session, body, caller=server.caller, prepare=prepare, effect=effect)


@router.post(
    f"{PATH}/tokens",
    summary="Create a token for the embed",
    status_code=201,
    responses=problems(*NOT_FOUND, access.ParticipantDisabled),
)
async def create_embed_token(
    external_id: ExternalIdPath,
    request: Request,
    response: Response,
    server: ParticipantsWriter,
    session: Session,
    clock: Clock,
) -> EmbedToken:
    """Return an access token of a person for ten minutes, for `<goodword-referral>` in a page of your product.

    It opens `GET /api/v1/me/referral-codes`, `/me/referrals`, `/me/referral-stats`, `/me/rewards` and
    `/me/reward-balances`, and nothing else. It ends at once when the person is erased or disabled. It is a new token at
    each call, and no response is stored.
    """
    response.headers["Cache-Control"] = "no-store"
    user = await access.lock(session, external_id, server.program_id)
    token = await embed.issue(session, services_of(request), user, now=clock())
    return EmbedToken(access_token=token, expires_in=int(EMBED_LIFETIME.total_seconds()))
