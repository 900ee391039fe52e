"""Pages to sign in and out."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.errors import AppError
from goodword.rate_limits.dependencies import limited
from goodword.services import services_of
from goodword.sessions import cookies as browser, service
from goodword.sessions.page_access import LocalForm, is_own_form, leads_to_an_app, use_ui_locales
from goodword.sessions.schemas import SessionCreate
from goodword.sessions.throttle import TooManyAttempts
from goodword.users.models import User
from goodword.users.passwords import HashingBusy
from goodword.web.client_address import client_network
from goodword.web.dependencies import Clock, Session
from goodword.web.forms import local_path, read_form
from goodword.web.html.rendering import explain, foreign_form, link, page, see_other

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
async def show_sign_in(request: Request) -> Response:
    asked = request.query_params
    code, email = asked.get("referral_code", ""), asked.get("login_hint", "")
    return _form(request, next_path=local_path(request, asked.get("next")), code=code, email=email)


@router.post("/sign-in", dependencies=[limited("sign-in")])
async def sign_in(request: Request, form: LocalForm, session: Session, clock: Clock) -> Response:
    next_path, email = local_path(request, form.get("next")), form.get("email", "")
    try:
        user = await _authenticate(request, session, form)
    except (service.InvalidCredentials, TooManyAttempts, HashingBusy) as error:
        code = form.get("referral_code", "")
        return _form(request, next_path=next_path, code=code, email=email, error=error)
    has_pages = services_of(request).settings.pages == "on"
    if user.is_admin and has_pages and next_path == link(request, "/"):
        next_path = link(request, "/admin")
    response = see_other(next_path)
    await browser.start_session(request, session, response, user, now=clock())
    return response


@router.post("/sign-out")
async def sign_out(request: Request, session: Session, clock: Clock) -> Response:
    """End the browser session, and go on to the path in `next`. Authorized apps keep their access."""
    cookies, next_path = services_of(request).page_cookies, link(request, "/")
    visitor = await browser.visitor(request)
    if visitor is not None:
        if not await is_own_form(request, visitor):
            return foreign_form(request)
        await browser.end_session(request, session, visitor, now=clock())
        next_path = local_path(request, (await read_form(request)).get("next", next_path))
    response = see_other(next_path)
    cookies.clear(response)
    return response


async def _authenticate(request: Request, session: AsyncSession, form: dict[str, str]) -> User:
    try:
        body = SessionCreate(email=form.get("email", ""), password=form.get("password", ""))
    except ValidationError:  # the API would refuse it too
        raise service.InvalidCredentials from None
    network = client_network(request)
    return await service.authenticate(
        session, services_of(request), email=body.email, password=body.password, network=network
    )


def _form(
    request: Request, *, next_path: str, code: str, email: str, error: AppError | None = None
) -> Response:
    """Return the form. `code` is a referral code for the case that the visitor registers instead."""
    query = {"next": next_path} | ({"referral_code": code} if code else {})
    use_ui_locales(request, next_path)
    return page(
        request,
        "sign_in.html",
        status=error.status if error else 200,
        headers=error.headers if error else None,
        redirects_to_app=leads_to_an_app(request, next_path),
        here=f"{link(request, '/sign-in')}?{urlencode(query)}",
        next_path=next_path,
        code=code,
        email=email,
        error=explain(request, error) if error else None,
        providers=services_of(request).social_clients.labels,
    )
