"""Signing in and out on our own pages."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.actors import ACTOR
from goodword.db import Session
from goodword.errors import AppError
from goodword.forms import FormInvalid, is_from_here, local_path, read_form
from goodword.http import Clock
from goodword.limits import limited
from goodword.pages import wording
from goodword.pages.rendering import foreign, link, page, refusal, say, see_other
from goodword.sessions import browser, service, whence
from goodword.sessions.answers import prove
from goodword.sessions.browser import Visitor
from goodword.sessions.failures import TooManyAttempts
from goodword.sessions.models import SignIn
from goodword.sessions.schemas import SessionCreate
from goodword.users.passwords import HashingBusy

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
async def show_sign_in(request: Request) -> Response:
    asked = request.query_params
    return _form(request, next_path=local_path(asked.get("next")), email=asked.get("login_hint", ""))


@router.post("/sign-in", dependencies=[limited("sign-in")])
async def sign_in(request: Request, session: Session, clock: Clock) -> Response:
    """Begin a browser session. Nobody has one yet whose token the form could carry: its origin is checked.

    Without that another site could sign its visitor in as somebody else, and read what they then enter.
    """
    if not is_from_here(request):
        return foreign(request)
    try:
        form = await read_form(request)
    except FormInvalid as error:
        return refusal(request, error.status, wording.TITLE, wording.UNREADABLE)
    next_path, email = local_path(form.get("next")), form.get("email", "")
    try:
        signed_in = await _sign_in(request, session, clock, form)
    except (service.InvalidCredentials, TooManyAttempts, HashingBusy) as error:
        return _form(request, next_path=next_path, email=email, error=error)
    # Asked for now, not before: what was done so far, the newcomer did.
    before = await browser.visitor(request)
    if before is not None:  # one browser, one session: who was signed in here is no more
        await service.end_one(session, before.session_id, why="signed_in_anew", now=clock())
    response = see_other(next_path)
    request.app.state.cookies.write(response, signed_in)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, session: Session, clock: Clock) -> Response:
    """End the browser session. Apps that were let in stay in."""
    cookies = request.app.state.cookies
    visitor = await browser.visitor(request)
    if visitor is not None:
        if not await is_own_form(request, visitor):
            return foreign(request)
        del request.scope["state"][ACTOR]  # two tabs sign out together, and both are right
        await service.end_one(session, visitor.session_id, why="signed_out", now=clock())
    response = see_other(link(request, "/"))
    cookies.clear(response)
    return response


async def is_own_form(request: Request, visitor: Visitor) -> bool:
    """Whether a form was sent by this visitor from a page of ours."""
    try:
        form = await read_form(request)
    except FormInvalid:
        return False
    cookies = request.app.state.cookies
    return is_from_here(request) and cookies.is_form_token(visitor, form.get("form_token", ""))


async def _sign_in(request: Request, session: AsyncSession, clock: Clock, form: dict[str, str]) -> SignIn:
    try:
        body = SessionCreate(email=form.get("email", ""), password=form.get("password", ""))
    except ValidationError:  # what the API would refuse is nobody's address or password
        raise service.InvalidCredentials(headers={"WWW-Authenticate": "Bearer"}) from None
    proven = await prove(request, session, body)
    return await service.start(
        session, proven, client=browser.CLIENT, scope=browser.SCOPE, whence=whence.of(request), now=clock()
    )


def _form(request: Request, *, next_path: str, email: str, error: AppError | None = None) -> Response:
    return page(
        request,
        "sign_in.html",
        status=error.status if error else 200,
        headers=error.headers if error else None,
        leads_elsewhere=leads_to_an_app(request, next_path),
        here=f"{link(request, '/sign-in')}?{urlencode({'next': next_path})}",
        next_path=next_path,
        email=email,
        error=say(request, wording.text_of(error)) if error else None,
        providers=request.app.state.social.labels,
    )


def leads_to_an_app(request: Request, next_path: str) -> bool:
    return next_path.startswith(link(request, "/oauth/authorize?"))
