"""/admin: for administrators. To everybody else nothing is there, and no answer tells otherwise."""

import uuid
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response, Security

from goodword.admin import referral_tree, search, service
from goodword.admin.schemas import (
    AdminCode,
    AdminReferral,
    AdminUser,
    AdminUserDetail,
    AdminUserList,
    ReferralReject,
    ReferralTree,
    TreeNode,
)
from goodword.audit import service as audit
from goodword.audit.actions import Action
from goodword.audit.schemas import AuditList, AuditRead
from goodword.codes import service as codes
from goodword.codes.models import ReferralCode
from goodword.db.transaction_hooks import ACTOR
from goodword.errors import Forbidden, NotFound, Unauthorized
from goodword.providers import email_checks
from goodword.rate_limits.dependencies import count_write
from goodword.referrals import service as referrals
from goodword.services import services_of
from goodword.sessions import service as sessions
from goodword.sessions.auth import Caller, authenticate, bearer, is_administrator
from goodword.users import homoglyphs
from goodword.users.models import User, UserStatus, display_name
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems
from goodword.web.paging import Cursor, CursorInvalid, Limit
from goodword.web.problems import hide_subtree
from goodword.web.request_context import READS
from goodword.web.schemas import Instant, QueryInt, Text

PREFIX = "/api/v1/admin"


class AdminRoute(JsonRoute):
    """A route that looks at nothing of a request before it knows that an administrator sent it.

    A dependency would come too late: what is wrong with a body is told before any of them runs.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def hidden(request: Request) -> Response:
            request.state.administrator = await _admit(request)
            return await handle(request)

        return hidden


async def _admit(request: Request) -> Caller:
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


async def _administrator(request: Request, _shown: Annotated[object, Depends(bearer)]) -> Caller:
    caller: Caller = request.state.administrator
    return caller


Administrator = Annotated[Caller, Security(_administrator, scopes=["admin"])]
UserId = Annotated[uuid.UUID, Path(description="The person's id.")]

router = APIRouter(
    prefix=PREFIX,
    tags=["Administration"],
    route_class=AdminRoute,
    # Every endpoint has its administrator, whether it asks who that is or not.
    dependencies=[Security(_administrator, scopes=["admin"])],
)


def install(app: FastAPI) -> None:
    """The endpoints, and below them nothing."""
    app.include_router(router)
    hide_subtree(app, PREFIX)


@router.get("/users", summary="Find people", responses=problems(CursorInvalid))
async def find_users(
    request: Request,
    session: Session,
    email: Annotated[
        Text | None, Query(max_length=320, description="The whole address; compared as at sign-in.")
    ] = None,
    q: Annotated[
        Text | None, Query(min_length=1, max_length=100, description="A part of the address or the name.")
    ] = None,
    status: Annotated[UserStatus | None, Query(description="Only accounts in this state.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AdminUserList:
    """Accounts by address, by part of address or name, by state; newest first.

    For a part or a state the next 20,000 accounts are looked through at once. So there can be fewer items than
    `limit`, or none, although there are more: `next_cursor` goes on, and is null when all were looked at.
    """
    cursors, name = services_of(request).cursors, f"users {status} {email!r} {q!r}"
    after = cursors.read(cursor, of=name)
    found = await search.accounts(session, email=email, part=q, status=status, after=after, limit=limit)
    service.note_search(session, found=len(found.rows))
    following = cursors.write(found.following, of=name) if found.following else None
    return AdminUserList(items=[_user(row) for row in found.rows], next_cursor=following)


@router.get("/users/{user_id}", summary="Look at a person", responses=problems(referrals.UserNotFound))
async def read_user(user_id: UserId, request: Request, session: Session, clock: Clock) -> AdminUserDetail:
    """An account with its codes, its sessions and who brought it. The audit notes that you looked."""
    user, now = await service.get(session, user_id), clock()
    service.note_look(session, user_id)
    known = (
        await email_checks.known_of(session, services_of(request).settings, user.email)
        if user.email
        else None
    )
    theirs = await codes.list_codes(
        session, user_id, status=None, after=None, limit=100, now=now, erased=True
    )
    return AdminUserDetail(
        **_user(user).model_dump(),
        referred_by=await referrals.referred_by(session, user_id),
        email_check=known.verdict if known else None,
        looks_like=await homoglyphs.find_confusable(session, user.email) if user.email else None,
        sessions=len(await sessions.list_active(session, user_id, now=now)),
        codes=[_code(code, now) for code in theirs[:100]],
    )


@router.post(
    "/users/{user_id}/disable",
    summary="Disable a person",
    responses=problems(referrals.UserNotFound, service.UserErased, service.NotYourself),
)
async def disable_user(user_id: UserId, caller: Administrator, session: Session, clock: Clock) -> AdminUser:
    """Sign somebody out everywhere and keep them out. Their codes do not work until they are enabled again."""
    return _user(await service.disable(session, user_id, by=caller.user_id, now=clock()))


@router.post(
    "/users/{user_id}/enable",
    summary="Enable a person",
    responses=problems(referrals.UserNotFound, service.UserErased),
)
async def enable_user(user_id: UserId, session: Session) -> AdminUser:
    """Let somebody in again. They have to sign in; codes that are still in their term work again."""
    return _user(await service.enable(session, user_id))


@router.delete(
    "/users/{user_id}",
    summary="Erase a person",
    status_code=204,
    responses=problems(referrals.UserNotFound, service.UserErased, service.NotYourself),
)
async def erase_user(user_id: UserId, request: Request, caller: Administrator, session: Session) -> None:
    """Forget a person at once and for ever, as they could themself. Who came by their codes stays."""
    await service.erase(session, services_of(request), user_id, by=caller.user_id)


@router.get(
    "/users/{user_id}/referral-tree",
    summary="See a person's referral tree",
    responses=problems(referrals.UserNotFound),
)
async def read_referral_tree(
    user_id: UserId,
    request: Request,
    session: Session,
    depth: Annotated[
        QueryInt, Query(ge=1, le=referral_tree.MAX_DEPTH, description="How many levels down.")
    ] = 3,
) -> ReferralTree:
    """Who brought this person, and whom they brought, level by level, the latest first.

    The latest 50 of each person are shown, and 1,000 people in all; `referrals` counts the others too.
    """
    rows = await referral_tree.load(services_of(request).database, user_id, depth=depth)
    if not rows:
        raise referrals.UserNotFound
    service.note_look(session, user_id)
    return ReferralTree(items=[_node(row) for row in rows])


@router.delete(
    "/referral-codes/{code}", summary="Revoke a code", status_code=204, responses=problems(codes.CodeNotFound)
)
async def revoke_code(
    code: Annotated[str, Path(description="As its owner shows it.")], session: Session, clock: Clock
) -> None:
    """Take anybody's code out of force, at once and for good. Referrals made with it stay."""
    await service.revoke_code(session, code, now=clock())


@router.post(
    "/referrals/{referral_id}/reject",
    summary="Reject a referral",
    responses=problems(service.ReferralNotFound, service.ReferralRejected),
)
async def reject_referral(
    referral_id: Annotated[uuid.UUID, Path(description="The referral's id.")],
    body: ReferralReject,
    session: Session,
) -> AdminReferral:
    """Let a referral count no longer: both people stay, and so does who brought whom."""
    return AdminReferral.model_validate(
        await service.reject_referral(session, referral_id, reason=body.reason)
    )


@router.get("/audit", summary="See what happened", responses=problems(CursorInvalid))
async def list_audit_events(
    request: Request,
    reader: Reader,
    user_id: Annotated[
        uuid.UUID | None, Query(description="Only what this person did, and what was done to them.")
    ] = None,
    action: Annotated[Action | None, Query(description="Only events of this name.")] = None,
    since: Annotated[Instant | None, Query(description="Only events from this moment on.")] = None,
    until: Annotated[Instant | None, Query(description="Only events before this moment.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AuditList:
    """Who did what to what, and from where, the latest first. Nothing of it is ever changed or removed, but the
    addresses, after 90 days; `goodword audit verify` shows that.
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
    return AuditList(items=[AuditRead.of(row) for row in rows], next_cursor=following)


def _user(user: User) -> AdminUser:
    return AdminUser(
        id=user.id,
        email=user.email,
        email_verified=user.verified_at is not None,
        first_name=user.first_name,
        last_name=user.last_name,
        status=UserStatus(user.status),
        is_admin=user.is_admin,
        created_at=user.created_at,
        erased_at=user.erased_at,
    )


def _code(code: ReferralCode, now: datetime) -> AdminCode:
    return AdminCode(
        code=code.code,
        status=code.status(now),
        retired_reason=code.retired_reason,
        expires_at=code.expires_at,
        uses=code.uses,
    )


def _node(row: Any) -> TreeNode:
    return TreeNode(
        user_id=row.id,
        level=row.level,
        email=row.email,
        display_name=display_name(row.first_name, row.last_name),
        status=row.status,
        referral_id=row.referral_id,
        referrer_id=row.referrer_id,
        referral_status=row.referral_status,
        joined_at=row.joined_at,
        referrals=row.referrals,
    )
