"""Forms that end sessions, and revoke the access of apps."""

import uuid
from contextlib import suppress

from fastapi import APIRouter, Request, Response

from goodword.account.pages import HERE, AccountVisitor, done
from goodword.oauth import service as oauth
from goodword.services import services_of
from goodword.sessions import service
from goodword.web.dependencies import Clock, Session
from goodword.web.forms import read_form
from goodword.web.html.rendering import link, see_other

router = APIRouter(prefix=HERE, include_in_schema=False)


@router.post("/sessions/end")
async def end_session(request: Request, visitor: AccountVisitor, session: Session, clock: Clock) -> Response:
    """End a session. One that has already ended is no error."""
    session_id = (await read_form(request)).get("session", "")
    with suppress(ValueError, service.SessionNotFound):
        await service.revoke(session, visitor.user_id, uuid.UUID(session_id), now=clock())
    return done(request, "session")


@router.post("/sessions/end-all")
async def end_all_sessions(
    request: Request, visitor: AccountVisitor, session: Session, clock: Clock
) -> Response:
    """End all sessions of the user."""
    await service.revoke_all(session, visitor.user_id, why="signed_out_everywhere", now=clock())
    response = see_other(link(request, "/"))
    services_of(request).page_cookies.clear(response)
    return response


@router.post("/apps/shut-out")
async def revoke_app_access(
    request: Request, visitor: AccountVisitor, session: Session, clock: Clock
) -> Response:
    """Revoke the access of an app. An app without access is no error."""
    client_id = (await read_form(request)).get("client_id", "")
    with suppress(oauth.AppNotFound):
        await oauth.revoke_access(session, visitor.user_id, client_id, now=clock())
    return done(request, "app")
