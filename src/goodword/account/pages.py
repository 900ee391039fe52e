"""The account pages: profile, security, connected apps and data, and their forms."""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.account import credentials, service
from goodword.account.schemas import AccountDelete, PasswordChange, ProfileUpdate
from goodword.db.keyset import Position
from goodword.errors import AppError
from goodword.languages import LANGUAGES, to_translate
from goodword.oauth import scopes, service as oauth
from goodword.privacy import erasure, export
from goodword.referrals import service as referrals
from goodword.services import services_of
from goodword.sessions import active, service as sessions
from goodword.sessions.cookies import Visitor
from goodword.sessions.page_access import signed_in
from goodword.users import service as users
from goodword.web.client_address import client_network
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.forms import read_form
from goodword.web.html.form_errors import error_context
from goodword.web.html.rendering import done_text, link, page, see_other, translate_for

router = APIRouter(prefix="/account", include_in_schema=False)

HERE = "/account"
AccountVisitor = Annotated[Visitor, signed_in(HERE)]
SECURITY, APPS, DATA = f"{HERE}/security", f"{HERE}/apps", f"{HERE}/data"
TEMPLATES = {
    HERE: "account_profile.html",
    SECURITY: "account_security.html",
    APPS: "account_apps.html",
    DATA: "account_data.html",
}
SESSIONS_PER_PAGE = 20
NAME = ("first_name", "last_name")
PASSWORDS = ("current_password", "new_password")
DONE = {
    "name": to_translate("Your name has been changed."),
    "language": to_translate("Your language has been changed."),
    "password": to_translate("Your password has been changed. You have been signed out everywhere else."),
    "session": to_translate("The device has been signed out."),
    "app": to_translate("Access revoked."),
}


@router.get("")
async def show_profile(request: Request, visitor: AccountVisitor, reader: Reader) -> Response:
    return await _profile(request, reader, visitor)


@router.get("/security")
async def show_security(
    request: Request, visitor: Annotated[Visitor, signed_in(SECURITY)], reader: Reader, clock: Clock
) -> Response:
    return await _security(request, reader, visitor, clock)


@router.get("/apps")
async def show_apps(
    request: Request, visitor: Annotated[Visitor, signed_in(APPS)], reader: Reader
) -> Response:
    """Show the apps with access to the account, and what they can do."""
    apps = [
        (app, [translate_for(request, words) for words in scopes.descriptions(app.scope.split())])
        for app in await oauth.list_apps(reader, visitor.user_id)
    ]
    return await _page(request, reader, visitor, APPS, apps=apps)


@router.get("/data")
async def show_data(
    request: Request, visitor: Annotated[Visitor, signed_in(DATA)], reader: Reader
) -> Response:
    return await _page(request, reader, visitor, DATA)


@router.post("/name")
async def change_name(request: Request, visitor: AccountVisitor, session: Session) -> Response:
    """Change the names. An empty field removes the name."""
    form = await read_form(request)
    given = {name: form.get(name, "").strip() for name in NAME}
    try:
        body = ProfileUpdate(**{name: text or None for name, text in given.items()})
    except ValidationError as error:
        return await _profile(request, session, visitor, given=given, error=error)
    await service.update_profile(session, visitor.user_id, {name: getattr(body, name) for name in NAME})
    return _done(request, HERE, "name")


@router.post("/language")
async def change_language(request: Request, visitor: AccountVisitor, session: Session) -> Response:
    """Change the language of pages and messages."""
    language = (await read_form(request)).get("language", "")
    if language not in LANGUAGES:
        return see_other(link(request, HERE))
    await service.update_profile(session, visitor.user_id, {"language": language})
    response = _done(request, HERE, "language")
    services_of(request).page_cookies.write_language(response, language)
    return response


@router.post("/password")
async def change_password(
    request: Request, visitor: AccountVisitor, session: Session, clock: Clock
) -> Response:
    """Change the password, and end all other sessions."""
    form = await read_form(request)
    try:
        body = PasswordChange(**{name: form[name] for name in PASSWORDS if name in form})
        await credentials.change_password(
            session,
            services_of(request),
            visitor.user_id,
            current=body.current_password,
            new=body.new_password,
            session_id=visitor.session_id,
            network=client_network(request),
        )
    except (ValidationError, AppError) as error:
        return await _security(request, session, visitor, clock, error=error)
    return _done(request, SECURITY, "password")


@router.post("/export")
async def download_data(request: Request, visitor: AccountVisitor, session: Session) -> Response:
    """Send the export as a file. It is a form, so that a link on another site cannot start it."""
    await export.begin(session, visitor.user_id)
    document = export.document(services_of(request), visitor.user_id)
    return StreamingResponse(
        document, media_type="application/json", headers=export.headers(services_of(request).settings)
    )


@router.post("/deletion")
async def delete_account(request: Request, visitor: AccountVisitor, session: Session) -> Response:
    """Erase the account. The password is required, or a recent sign-in if there is none."""
    form, services = await read_form(request), services_of(request)
    try:
        body = AccountDelete(password=form.get("password"))
        user_id, session_id, network = visitor.user_id, visitor.session_id, client_network(request)
        user = await service.lock_confirmed(
            session, services, user_id, body.password, session_id=session_id, network=network
        )
    except (ValidationError, AppError) as error:
        return await _page(request, session, visitor, DATA, fields=("password",), error=error)
    await erasure.erase(session, services, user)
    response = see_other(link(request, "/"))
    services.page_cookies.clear(response)
    return response


@router.post("/sessions/end")
async def end_session(request: Request, visitor: AccountVisitor, session: Session, clock: Clock) -> Response:
    """End a session. One that has already ended is no error."""
    session_id = (await read_form(request)).get("session", "")
    with suppress(ValueError, sessions.SessionNotFound):
        await sessions.revoke(session, visitor.user_id, uuid.UUID(session_id), now=clock())
    return _done(request, SECURITY, "session")


@router.post("/sessions/end-all")
async def end_all_sessions(
    request: Request, visitor: AccountVisitor, session: Session, clock: Clock
) -> Response:
    """End all sessions of the user."""
    await sessions.revoke_all(session, visitor.user_id, why="signed_out_everywhere", now=clock())
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
    return _done(request, APPS, "app")


def _done(request: Request, path: str, what: str) -> Response:
    """Redirect to the page, which shows what was done."""
    return see_other(f"{link(request, path)}?done={what}")


async def _profile(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    *,
    given: Mapping[str, str] | None = None,
    error: ValidationError | None = None,
) -> Response:
    referred_by = await referrals.referred_by(session, visitor.user_id)
    values: dict[str, Any] = {"given": given, "referred_by": referred_by}
    return await _page(request, session, visitor, HERE, fields=NAME, error=error, **values)


async def _security(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    clock: Clock,
    *,
    error: AppError | ValidationError | None = None,
) -> Response:
    services, cursor = services_of(request), request.query_params.get("sessions")
    name = f"sessions {visitor.user_id}"
    after = services.cursors.read(cursor, of=name)
    found = await active.list_active(
        session, visitor.user_id, now=clock(), after=after, limit=SESSIONS_PER_PAGE
    )
    shown, following = services.cursors.cut(
        found, SESSIONS_PER_PAGE, of=name, place=lambda one: Position(one.rotated_at, one.id)
    )
    apps = await oauth.list_apps(session, visitor.user_id)
    return await _page(
        request,
        session,
        visitor,
        SECURITY,
        fields=PASSWORDS,
        error=error,
        sessions=shown,
        following=following,
        is_first=cursor is None,
        current=visitor.session_id,
        app_names={app.client_id: app.name for app in apps},
        least=services.settings.password_min_length,
    )


async def _page(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    path: str,
    *,
    fields: tuple[str, ...] = (),
    error: AppError | ValidationError | None = None,
    **values: Any,
) -> Response:
    """Return the page at a path. `fields` are those of a rejected form."""
    return page(
        request,
        TEMPLATES[path],
        **error_context(request, error, fields),
        here=link(request, path),
        user=await users.get(session, visitor.user_id),
        done=done_text(request, DONE) if error is None else None,
        form_token=services_of(request).page_cookies.form_token(visitor),
        **values,
    )
