"""Joining on our own pages: the form, and what comes after it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from goodword.account import credentials
from goodword.db import Reader, Session
from goodword.errors import AppError
from goodword.forms import FormInvalid, is_from_here, local_path, read_form
from goodword.http import Clock
from goodword.limits import count_letter, limited
from goodword.pages import wording
from goodword.pages.rendering import foreign, link, page, refusal, say, see_other
from goodword.pages.sign_in import is_own_form, leads_to_an_app
from goodword.sessions import browser, service as sessions, whence
from goodword.signup import service
from goodword.signup.schemas import UserCreate
from goodword.users import addresses, service as users
from goodword.users.models import Purpose

router = APIRouter(include_in_schema=False)

FIELDS = ("email", "password", "first_name", "last_name", "referral_code")


@router.get("/sign-up")
async def show_sign_up(request: Request) -> Response:
    asked = request.query_params
    given = {"referral_code": asked.get("referral_code", "")}
    return _form(request, given, next_path=local_path(asked.get("next")))


@router.post("/sign-up", dependencies=[limited("sign-up")])
async def sign_up(request: Request, session: Session, clock: Clock) -> Response:
    """Make an account as the API does, and sign its owner in on this browser."""
    if not is_from_here(request):
        return foreign(request)
    try:
        form = await read_form(request)
    except FormInvalid as error:
        return refusal(request, error.status, wording.TITLE, wording.UNREADABLE)
    state, next_path = request.app.state, local_path(form.get("next"))
    given = {
        name: form[name] if name == "password" else form[name].strip() for name in FIELDS if name in form
    }
    try:
        body = UserCreate(**{name: text for name, text in given.items() if text})
        password_hash = await service.prepare(state.context, state.passwords, body)
        async with session.begin_nested():  # what a refused sign-up did, such as using the code, goes
            user, _ = await service.sign_up(
                session,
                body,
                password_hash=password_hash,
                settings=state.settings,
                language=state.cookies.language(request),
                clock=clock,
            )
    except (ValidationError, AppError) as error:
        return _form(request, given, next_path=next_path, error=error)
    now = clock()
    # Asked for now, not before: what was done so far, the newcomer did.
    before = await browser.visitor(request)
    if before is not None:  # one browser, one session
        await sessions.end_one(session, before.session_id, why="signed_in_anew", now=now)
    begun = await sessions.begin(
        session, user, client=browser.CLIENT, scope=browser.SCOPE, whence=whence.of(request), now=now
    )
    response = see_other(link(request, "/check-mail") if next_path == "/" else next_path)
    state.cookies.write(response, begun)
    return response


@router.get("/check-mail")
async def show_check_mail(request: Request, reader: Reader) -> Response:
    """Where the letter went that asks to verify the address, and the way to another one."""
    visitor = await browser.visitor(request)
    if visitor is None:
        return see_other(f"{link(request, '/sign-in')}?{urlencode({'next': link(request, '/check-mail')})}")
    user = await users.get(reader, visitor.user_id)
    if user.verified_at is not None:
        return see_other(link(request, "/"))
    return _check_mail(request, visitor, user.email, again=False)


@router.post("/check-mail", dependencies=[limited("letter")])
async def send_again(request: Request, session: Session, clock: Clock) -> Response:
    visitor = await browser.visitor(request)
    if visitor is None or not await is_own_form(request, visitor):
        return foreign(request)
    user = await users.get(session, visitor.user_id)
    assert user.email is not None, "an active account has an address"
    await count_letter(request, Purpose.VERIFY_EMAIL, addresses.parse(user.email).key)
    credentials.ask(session, Purpose.VERIFY_EMAIL, user.email, now=clock())
    return _check_mail(request, visitor, user.email, again=True)


def _check_mail(request: Request, visitor: browser.Visitor, email: str | None, *, again: bool) -> Response:
    state = request.app.state
    return page(
        request,
        "check_mail.html",
        email=email,
        again=again,
        is_sent=state.settings.mail_server is not None,
        form_token=state.cookies.form_token(visitor),
    )


def _form(
    request: Request,
    given: Mapping[str, str],
    *,
    next_path: str,
    error: AppError | ValidationError | None = None,
) -> Response:
    query = {"referral_code": given.get("referral_code", ""), "next": next_path}
    return page(
        request,
        "sign_up.html",
        **refused(request, error, FIELDS),
        leads_elsewhere=leads_to_an_app(request, next_path),
        here=f"{link(request, '/sign-up')}?{urlencode(query)}",
        next_path=next_path,
        given=dict.fromkeys(FIELDS, "") | {name: text for name, text in given.items() if name != "password"},
        providers=request.app.state.social.labels,
        least=request.app.state.settings.password_min_length,
    )


def refused(
    request: Request, error: AppError | ValidationError | None, fields: tuple[str, ...]
) -> dict[str, Any]:
    """What the page of a form needs to say of an error: beside the fields, or else above them."""
    if error is None:
        return {"errors": {}, "error": None}
    least = request.app.state.settings.password_min_length
    wrong = wording.wrong_fields(error, fields)
    said = {"errors": {name: say(request, text, least=least) for name, text in wrong.items()}}
    if isinstance(error, ValidationError):
        return {**said, "status": 422, "error": say(request, wording.LOOK_AGAIN if wrong else wording.NOT_SO)}
    text = wording.LOOK_AGAIN if wrong else wording.text_of(error)
    return {**said, "status": error.status, "headers": error.headers, "error": say(request, text)}
