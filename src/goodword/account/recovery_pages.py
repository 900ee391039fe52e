"""The pages that links in messages open, and the forms that request these messages.

The token is in the fragment of the link, which browsers do not send. A script copies it into the form; without
scripts the user pastes the link. A GET has no effect, since virus scanners follow links.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.account import credentials
from goodword.account.schemas import Confirmation, EmailRequest, PasswordReset
from goodword.errors import AppError
from goodword.rate_limits.dependencies import count_email, limited
from goodword.services import services_of
from goodword.sessions import cookies
from goodword.sessions.cookies import Visitor
from goodword.sessions.page_access import LocalForm, is_own_form, signed_in
from goodword.users import addresses, service as users, verifications
from goodword.users.models import Purpose
from goodword.users.verifications import VerificationInvalid
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.html.form_errors import error_context
from goodword.web.html.rendering import foreign_form, link, page, see_other
from goodword.web.rewritten_paths import REWRITTEN

router = APIRouter(include_in_schema=False)

USES: Mapping[Purpose, Callable[..., Awaitable[None]]] = {
    Purpose.VERIFY_EMAIL: credentials.verify_address,
    Purpose.CHANGE_EMAIL: credentials.change_address,
}


@router.get("/check-mail")
async def show_check_mail_page(
    request: Request, reader: Reader, visitor: Annotated[Visitor, signed_in("/check-mail")]
) -> Response:
    """Show the address that the message went to, and a form that sends another."""
    user = await users.get(reader, visitor.user_id)
    if user.verified_at is not None:
        return see_other(link(request, "/"))
    return _check_mail_page(request, visitor, user.email, again=False)


@router.post("/check-mail", dependencies=[limited("email")])
async def send_again(request: Request, session: Session, clock: Clock) -> Response:
    visitor = await cookies.visitor(request)
    if visitor is None or not await is_own_form(request, visitor):
        return foreign_form(request)
    user = await users.get(session, visitor.user_id)
    assert user.email is not None, "an active account has an address"
    await count_email(request, Purpose.VERIFY_EMAIL, addresses.parse(user.email).key)
    credentials.request_email(session, Purpose.VERIFY_EMAIL, user.email, now=clock())
    return _check_mail_page(request, visitor, user.email, again=True)


def _check_mail_page(request: Request, visitor: Visitor, email: str | None, *, again: bool) -> Response:
    services = services_of(request)
    return page(
        request,
        "check_mail.html",
        email=email,
        again=again,
        is_sent=services.settings.mail_server is not None,
        form_token=services.page_cookies.form_token(visitor),
    )


@router.get("/verify-email" + REWRITTEN)
async def show_verify_email(request: Request) -> Response:
    return _page(request, "verify_email.html", given=_given(request))


@router.post("/verify-email", dependencies=[limited("email-token")])
async def verify_email(request: Request, form: LocalForm, session: Session, clock: Clock) -> Response:
    """Verify the address of the token."""
    return await _use_token(request, form, session, clock, "verify_email.html", Purpose.VERIFY_EMAIL)


@router.post("/verify-email/again", dependencies=[limited("email")])
async def send_verification_again(
    request: Request, form: LocalForm, session: Session, clock: Clock
) -> Response:
    """Request another message after a link that does not work. The page is the same without an account."""
    return await _request_email(request, form, session, clock, "verify_email.html", Purpose.VERIFY_EMAIL)


@router.get("/confirm-email" + REWRITTEN)
async def show_confirm_email(request: Request) -> Response:
    return _page(request, "confirm_email.html", given=_given(request))


@router.post("/confirm-email", dependencies=[limited("email-token")])
async def confirm_email(request: Request, form: LocalForm, session: Session, clock: Clock) -> Response:
    """Replace the address of the account."""
    return await _use_token(request, form, session, clock, "confirm_email.html", Purpose.CHANGE_EMAIL)


@router.get("/reset-password" + REWRITTEN)
async def show_reset_password(request: Request) -> Response:
    return _page(request, "reset_password.html", given=_given(request))


@router.post("/reset-password", dependencies=[limited("email-token")])
async def reset_password(request: Request, form: LocalForm, session: Session) -> Response:
    """Set a new password, and end all sessions."""
    try:
        body = PasswordReset(token=_token(form), password=form.get("password", ""))
        await credentials.reset_password(session, services_of(request), body.token, body.password)
    except (ValidationError, AppError) as error:
        return _page(request, "reset_password.html", given=form, error=error)
    return _page(request, "reset_password.html", given=form, outcome="done")


@router.get("/forgot-password")
async def show_forgot_password(request: Request) -> Response:
    return _page(request, "forgot_password.html", given={"email": request.query_params.get("email", "")})


@router.post("/forgot-password", dependencies=[limited("email")])
async def forgot_password(request: Request, form: LocalForm, session: Session, clock: Clock) -> Response:
    """Request a message. The page is the same whether or not there is an account."""
    return await _request_email(request, form, session, clock, "forgot_password.html", Purpose.RESET_PASSWORD)


async def _request_email(
    request: Request, form: LocalForm, session: AsyncSession, clock: Clock, template: str, purpose: Purpose
) -> Response:
    try:
        email = EmailRequest(email=form.get("email", "").strip()).email
        await count_email(request, purpose, addresses.parse(email).key)
        credentials.request_email(session, purpose, email, now=clock())
    except (ValidationError, AppError) as error:
        return _page(request, template, given=form, error=error)
    return _page(request, template, given=form, outcome="requested")


async def _use_token(
    request: Request,
    form: LocalForm,
    session: AsyncSession,
    clock: Clock,
    template: str,
    purpose: Purpose,
) -> Response:
    """Handle a form that needs a token only. A link that is used twice is not an error."""
    services, outcome = services_of(request), "done"
    try:
        token = Confirmation(token=_token(form)).token
        try:
            async with session.begin_nested():
                await USES[purpose](session, services, token, now=clock())
        except VerificationInvalid:
            key, outcome = services.keys.one_time_tokens, "already"
            if not await verifications.has_effect_already(services.database, purpose, token, key=key):
                raise
    except (ValidationError, AppError) as error:
        return _page(request, template, given=form, error=error)
    return _page(request, template, given=form, outcome=outcome)


def _token(form: Mapping[str, str]) -> str:
    """Return the token from the form, which may contain the whole link."""
    return verifications.find_token(form.get("token", "")).rpartition("token=")[2]


def _given(request: Request) -> Mapping[str, str]:
    """Return the token that a scanner has moved from the fragment of the link to its path or query."""
    token = verifications.find_token(f"{request.scope['path']}?{request.url.query}")
    return {"token": token} if token.startswith(verifications.PREFIX) else {}


def _page(
    request: Request,
    template: str,
    *,
    given: Mapping[str, str] | None = None,
    error: ValidationError | AppError | None = None,
    outcome: str = "",
) -> Response:
    settings = services_of(request).settings
    return page(
        request,
        template,
        **error_context(request, error, ("token", "email", "password")),
        given={"token": "", "email": ""} | {k: v for k, v in (given or {}).items() if k != "password"},
        done=outcome in ("done", "already"),
        outcome=outcome,
        is_sent=settings.mail_server is not None,
        least=settings.password_min_length,
    )
