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
from goodword.users import addresses, service as users
from goodword.users.models import Purpose
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.html.form_errors import error_context
from goodword.web.html.rendering import foreign_form, link, page, see_other

router = APIRouter(include_in_schema=False)


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


@router.get("/verify-email")
async def show_verify_email(request: Request) -> Response:
    return _page(request, "verify_email.html")


@router.post("/verify-email", dependencies=[limited("email-token")])
async def verify_email(request: Request, form: LocalForm, session: Session, clock: Clock) -> Response:
    """Verify the address of the token."""
    return await _use_token(request, form, session, clock, "verify_email.html", credentials.verify_address)


@router.get("/confirm-email")
async def show_confirm_email(request: Request) -> Response:
    return _page(request, "confirm_email.html")


@router.post("/confirm-email", dependencies=[limited("email-token")])
async def confirm_email(request: Request, form: LocalForm, session: Session, clock: Clock) -> Response:
    """Replace the address of the account."""
    return await _use_token(request, form, session, clock, "confirm_email.html", credentials.change_address)


@router.get("/reset-password")
async def show_reset_password(request: Request) -> Response:
    return _page(request, "reset_password.html")


@router.post("/reset-password", dependencies=[limited("email-token")])
async def reset_password(request: Request, form: LocalForm, session: Session) -> Response:
    """Set a new password, and end all sessions."""
    try:
        body = PasswordReset(token=_token(form), password=form.get("password", ""))
        await credentials.reset_password(session, services_of(request), body.token, body.password)
    except (ValidationError, AppError) as error:
        return _page(request, "reset_password.html", given=form, error=error)
    return _page(request, "reset_password.html", given=form, done=True)


@router.get("/forgot-password")
async def show_forgot_password(request: Request) -> Response:
    return _page(request, "forgot_password.html", given={"email": request.query_params.get("email", "")})


@router.post("/forgot-password", dependencies=[limited("email")])
async def forgot_password(request: Request, form: LocalForm, session: Session, clock: Clock) -> Response:
    """Request a message. The page is the same whether or not there is an account."""
    try:
        email = EmailRequest(email=form.get("email", "").strip()).email
        await count_email(request, Purpose.RESET_PASSWORD, addresses.parse(email).key)
        credentials.request_email(session, Purpose.RESET_PASSWORD, email, now=clock())
    except (ValidationError, AppError) as error:
        return _page(request, "forgot_password.html", given=form, error=error)
    return _page(request, "forgot_password.html", given=form, done=True)


async def _use_token(
    request: Request,
    form: LocalForm,
    session: AsyncSession,
    clock: Clock,
    template: str,
    use: Callable[..., Awaitable[None]],
) -> Response:
    """Handle a form that needs a token only. `use` is a function of `credentials`."""
    try:
        token = Confirmation(token=_token(form)).token
        async with session.begin_nested():
            await use(session, services_of(request), token, now=clock())
    except (ValidationError, AppError) as error:
        return _page(request, template, given=form, error=error)
    return _page(request, template, given=form, done=True)


def _token(form: Mapping[str, str]) -> str:
    """Return the token from the form, which may contain the whole link."""
    return form.get("token", "").strip().rpartition("token=")[2]


def _page(
    request: Request,
    template: str,
    *,
    given: Mapping[str, str] | None = None,
    error: ValidationError | AppError | None = None,
    done: bool = False,
) -> Response:
    settings = services_of(request).settings
    return page(
        request,
        template,
        **error_context(request, error, ("token", "email", "password")),
        given={"token": "", "email": ""} | {k: v for k, v in (given or {}).items() if k != "password"},
        done=done,
        is_sent=settings.mail_server is not None,
        least=settings.password_min_length,
    )
