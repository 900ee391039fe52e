"""Endpoints of sessions: sign in, list, sign out."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Request

from goodword.db.keyset import Position
from goodword.db.transaction_hooks import ACTOR
from goodword.rate_limits.dependencies import limited
from goodword.services import services_of
from goodword.sessions import active, seen_clients, service
from goodword.sessions.auth import Account
from goodword.sessions.client_info import client_hashes_of, client_info_of
from goodword.sessions.responses import token_answer
from goodword.sessions.schemas import SessionCreate, SessionList, SessionRead, TokenRead
from goodword.sessions.throttle import TooManyAttempts
from goodword.sessions.tokens import CLIENT
from goodword.users.passwords import HashingBusy
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems
from goodword.web.paging import Cursor, CursorInvalid, Limit

router = APIRouter(prefix="/api/v1", tags=["Sessions"], route_class=JsonRoute)

SessionId = Annotated[uuid.UUID, Path(description="The id of the session.")]


@router.post(
    "/sessions",
    summary="Sign in",
    status_code=201,
    responses=problems(service.InvalidCredentials, TooManyAttempts, HashingBusy),
    dependencies=[limited("sign-in")],
)
async def sign_in(body: SessionCreate, request: Request, session: Session, clock: Clock) -> TokenRead:
    """Sign in with e-mail address and password. Returns an access token and a refresh token.

    An unknown address and a wrong password get the same response. Send the access token as
    `Authorization: Bearer …`; before it expires, get a new pair at `POST /oauth/token`.
    """
    info = client_info_of(request)
    user = await service.authenticate(
        session, services_of(request), email=body.email, password=body.password, network=info.place
    )
    signed_in = await service.create(
        session, user, client=CLIENT, scope=service.own_scope(user), client_info=info, now=clock()
    )
    seen_clients.record(session, user.id, client_hashes_of(request), now=signed_in.created_at)
    return token_answer(request, signed_in)


@router.get("/me/sessions", summary="List your sessions", responses=problems(CursorInvalid))
async def list_sessions(
    request: Request, caller: Account, reader: Reader, clock: Clock, limit: Limit = 50, cursor: Cursor = None
) -> SessionList:
    """List your active sessions, the most recently used first."""
    cursors, name = services_of(request).cursors, f"sessions {caller.user_id}"
    after = cursors.read(cursor, of=name)
    found = await active.list_active(reader, caller.user_id, now=clock(), after=after, limit=limit)
    rows, following = cursors.cut(found, limit, of=name, place=lambda one: Position(one.rotated_at, one.id))
    items = [
        SessionRead(
            id=one.id,
            current=one.id == caller.session_id,
            device=one.device,
            place=one.place,
            client=one.client,
            created_at=one.created_at,
            last_used_at=one.rotated_at,
            expires_at=min(one.expires_at, one.idle_expires_at),
        )
        for one in rows
    ]
    return SessionList(items=items, next_cursor=following)


@router.delete("/me/sessions/current", summary="End the current session", status_code=204)
async def sign_out(caller: Account, request: Request, session: Session, clock: Clock) -> None:
    """End the session of this access token. Both of its tokens become invalid at once."""
    # No check of the actor: two tabs that sign out at the same time both succeed.
    del request.scope["state"][ACTOR]
    await service.revoke_one(session, caller.session_id, why="signed_out", now=clock())


@router.delete(
    "/me/sessions/{session_id}",
    summary="End a session",
    status_code=204,
    responses=problems(service.SessionNotFound),
)
async def end_session(session_id: SessionId, caller: Account, session: Session, clock: Clock) -> None:
    """End one of your sessions, for example on a device that you lost."""
    await service.revoke(session, caller.user_id, session_id, now=clock())


@router.delete("/me/sessions", summary="End all sessions", status_code=204)
async def end_all_sessions(caller: Account, session: Session, clock: Clock) -> None:
    """End all of your sessions, including this one."""
    await service.revoke_all(session, caller.user_id, why="signed_out_everywhere", now=clock())
