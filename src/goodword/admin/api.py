"""The API for administrators. Every other caller receives 404 for every path below it."""

import uuid
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response, Security
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.admin import flags, referral_tree, search, service
from goodword.admin.schemas import (
    AdminAttribution,
    AdminCode,
    AdminReferral,
    AdminRefusal,
    AdminUser,
    AdminUserDetail,
    AdminUserList,
    ReferralTree,
    TreeNode,
)
from goodword.attribution import explanation
from goodword.audit import service as audit
from goodword.audit.actions import Action
from goodword.audit.schemas import AuditList, AuditRead
from goodword.codes import service as codes
from goodword.codes.parameters import Code
from goodword.db.transaction_hooks import ACTOR
from goodword.errors import Forbidden, NotFound, Unauthorized
from goodword.providers import email_checks
from goodword.rate_limits.dependencies import count_write
from goodword.referrals import service as referrals
from goodword.risk import review
from goodword.risk.schemas import ReferralReject
from goodword.services import services_of
from goodword.sessions import active
from goodword.sessions.auth import Caller, authenticate, bearer, is_administrator
from goodword.users import homoglyphs
from goodword.users.models import User, UserStatus
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems
from goodword.web.paging import Cursor, CursorInvalid, Limit
from goodword.web.request_context import READS
from goodword.web.schemas import Instant, Text, from_digits

PREFIX = "/api/v1/admin"
LEVELS = Query(description="Number of levels below the user.")


class AdminRoute(JsonRoute):
    """A route that checks for an administrator first.

    A dependency would run too late: FastAPI reports an invalid body before it calls any of them.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def hidden(request: Request) -> Response:
            request.state.administrator = await _require_administrator(request)
            return await handle(request)

        return hidden


async def _require_administrator(request: Request) -> Caller:
    try:
        caller = await authenticate(request, frozenset({"admin"}))
    except (Unauthorized, Forbidden):
        raise NotFound from None
    if not await is_administrator(request, caller):
        raise NotFound
    if request.method not in READS:
        request.scope["state"][ACTOR].administers = True
        await count_write(request, caller.user_id)
    return caller


async def _administrator(request: Request, _documented: Annotated[object, Depends(bearer)]) -> Caller:
    caller: Caller = request.state.administrator
    return caller


Administrator = Annotated[Caller, Security(_administrator, scopes=["admin"])]
UserId = Annotated[uuid.UUID, Path(description="The id of the user.")]

router = APIRouter(
    prefix=PREFIX,
    tags=["Administration"],
    route_class=AdminRoute,
    # So that endpoints without a parameter `caller` are documented as protected too.
    dependencies=[Security(_administrator, scopes=["admin"])],
)


@router.get("/users", summary="Find users", responses=problems(CursorInvalid))
async def list_users(
    request: Request,
    session: Session,
    email: Annotated[
        Text | None,
        Query(
            max_length=320, description="The whole e-mail address of an account, or as a product reported it."
        ),
    ] = None,
    q: Annotated[
        Text | None,
        Query(
            min_length=1,
            max_length=100,
            description="A part of the e-mail address, the name or the external id.",
        ),
    ] = None,
    status: Annotated[UserStatus | None, Query(description="Only users with this status.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AdminUserList:
    """Find users by e-mail address, by a part of the address or the name, or by status; newest first.

    A search by part or status scans 20,000 users per request. A page can therefore have fewer items than `limit`, or
    none, although more exist. Continue with `next_cursor` until it is null.
    """
    cursors, name = services_of(request).cursors, f"users {status} {email!r} {q!r}"
    after = cursors.read(cursor, of=name)
    found = await search.list_users(session, email=email, part=q, status=status, after=after, limit=limit)
    service.record_search(session, found=len(found.rows))
    items = await _with_flags(request, session, found.rows)
    return AdminUserList(items=items, next_cursor=cursors.write(found.following, of=name))


@router.get("/users/{user_id}", summary="Retrieve a user", responses=problems(referrals.UserNotFound))
async def get_user(user_id: UserId, request: Request, session: Session, clock: Clock) -> AdminUserDetail:
    """Return a user with codes, number of sessions, and how the user was attributed.

    The audit log records the view.
    """
    user, now = await service.get(session, user_id), clock()
    service.record_view(session, user_id)
    known = await email_checks.known_of(session, services_of(request), user.email) if user.email else None
    theirs = await codes.list_codes(
        session, user_id, status=None, after=None, limit=100, now=now, for_administrator=True
    )
    return AdminUserDetail(
        **(await _with_flags(request, session, [user]))[0].model_dump(),
        external_id=user.external_id,
        reported_email=user.reported_email,
        referred_by=await referrals.referred_by(session, user_id),
        email_check=known.verdict if known else None,
        looks_like=await homoglyphs.find_confusable(session, user.email) if user.email else None,
        attributions=[AdminAttribution.of(row) for row in await explanation.attributions(session, user_id)],
        refusals=[
            AdminRefusal(**refusal._asdict()) for refusal in await explanation.refusals(session, user_id)
        ],
        sessions=await active.count(session, user_id, now=now),
        codes=[AdminCode.of(code, now) for code in theirs[:100]],
    )


@router.post(
    "/users/{user_id}/disable",
    summary="Disable a user",
    responses=problems(referrals.UserNotFound, service.UserErased, service.NotYourself),
)
async def disable_user(
    user_id: UserId, request: Request, caller: Administrator, session: Session, clock: Clock
) -> AdminUser:
    """End all sessions of a user and prevent sign-in. Their codes do not work until the user is enabled again."""
    user = await service.disable(session, user_id, by=caller.user_id, now=clock())
    return (await _with_flags(request, session, [user]))[0]


@router.post(
    "/users/{user_id}/enable",
    summary="Enable a user",
    responses=problems(referrals.UserNotFound, service.UserErased),
)
async def enable_user(user_id: UserId, request: Request, session: Session) -> AdminUser:
    """Enable a disabled user. The user has to sign in again; codes that have not expired work again."""
    user = await service.enable(session, user_id)
    return (await _with_flags(request, session, [user]))[0]


@router.delete(
    "/users/{user_id}",
    summary="Erase a user",
    status_code=204,
    responses=problems(referrals.UserNotFound, service.UserErased, service.NotYourself),
)
async def erase_user(user_id: UserId, request: Request, caller: Administrator, session: Session) -> None:
    """Erase the personal data of a user permanently. Users that they referred stay."""
    await service.erase(session, services_of(request), user_id, by=caller.user_id)


@router.get(
    "/users/{user_id}/referral-tree",
    summary="Retrieve a referral tree",
    responses=problems(referrals.UserNotFound),
)
async def get_referral_tree(
    user_id: UserId,
    request: Request,
    session: Session,
    depth: Annotated[int, Field(ge=1, le=referral_tree.MAX_DEPTH), from_digits, LEVELS] = 3,
) -> ReferralTree:
    """Return the referrer of a user and the users that they referred, level by level, latest first.

    The tree has the latest 50 referrals of each user and 1,000 users in total; `referrals` counts all of them.
    """
    rows = await referral_tree.load(services_of(request).database, user_id, depth=depth)
    if not rows:
        raise referrals.UserNotFound
    service.record_view(session, user_id)
    found = await flags.find(session, services_of(request).settings, [row.id for row in rows])
    return ReferralTree(items=[TreeNode.of(row, found.get(row.id, ())) for row in rows])


@router.delete(
    "/referral-codes/{code:pasted}",
    summary="Revoke a code",
    status_code=204,
    responses=problems(codes.CodeNotFound),
)
async def revoke_code(
    code: Code,
    request: Request,
    session: Session,
    clock: Clock,
) -> None:
    """Revoke the code of any user permanently. Referrals made with it stay."""
    await codes.revoke(session, services_of(request), code, now=clock())


@router.post(
    "/referrals/{referral_id}/reject",
    summary="Reject a referral",
    responses=problems(referrals.ReferralNotFound, referrals.ReferralRejected),
)
async def reject_referral(
    referral_id: Annotated[uuid.UUID, Path(description="The referral's id.")],
    body: ReferralReject,
    request: Request,
    session: Session,
    clock: Clock,
) -> AdminReferral:
    """Mark a referral as rejected, so that it no longer counts. Both users stay, and so does their relation."""
    services = services_of(request)
    referral = await review.reject(session, services, referral_id, reason=body.reason, now=clock())
    return AdminReferral.model_validate(referral)


@router.get("/audit", summary="List audit events", responses=problems(CursorInvalid))
async def list_audit_events(
    request: Request,
    reader: Reader,
    user_id: Annotated[uuid.UUID | None, Query(description="Only events by or about this user.")] = None,
    action: Annotated[Action | None, Query(description="Only events with this action.")] = None,
    since: Annotated[Instant | None, Query(description="Only events from this time on.")] = None,
    until: Annotated[Instant | None, Query(description="Only events before this time.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AuditList:
    """List audit events, latest first.

    Events are never changed or deleted, except that IP addresses are cleared after 90 days. `goodword audit verify`
    detects any other change.
    """
    cursors, name = services_of(request).cursors, f"audit {user_id} {action} {since} {until}"
    position = cursors.read(cursor, of=name)
    found = await audit.list_events(
        reader,
        user_id=user_id,
        action=action,
        since=since,
        until=until,
        after=position.id if position else None,
        limit=limit,
    )
    rows, following = cursors.cut(found, limit, of=name)
    return AuditList(items=[AuditRead.model_validate(row) for row in rows], next_cursor=following)


async def _with_flags(request: Request, session: AsyncSession, users: Sequence[User]) -> list[AdminUser]:
    found = await flags.find(session, services_of(request).settings, [user.id for user in users])
    return [
        AdminUser.model_validate(user).model_copy(update={"flags": found.get(user.id, ())}) for user in users
    ]
