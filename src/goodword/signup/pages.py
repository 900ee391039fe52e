"""The registration page."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import ValidationError

from goodword.codes.schemas import CodeFound
from goodword.errors import AppError
from goodword.rate_limits.dependencies import limited
from goodword.rate_limits.limiter import RateLimited
from goodword.services import services_of
from goodword.sessions.cookies import start_session
from goodword.sessions.page_access import LocalForm, leads_to_an_app, use_ui_locales
from goodword.signup import service
from goodword.signup.claims import claim_of
from goodword.signup.inviter import find_code, page_if_signed_in
from goodword.signup.schemas import REGISTRATION_FIELDS, UserCreate
from goodword.web.dependencies import Clock, Session
from goodword.web.forms import is_from_here, local_path, read_form
from goodword.web.html.form_errors import error_context
from goodword.web.html.rendering import accepts_html, error_values, link, page, see_other
from goodword.web.urlencoded import FormInvalid


class SignUpRoute(APIRoute):
    """A route that keeps the invitation of a form that is refused because of a limit."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def keep_invitation(request: Request) -> Response:
            try:
                return await handle(request)
            except RateLimited as error:
                if response := await _refused(request, error):
                    return response
                raise

        return keep_invitation


router = APIRouter(include_in_schema=False, route_class=SignUpRoute)


@router.get("/sign-up")
async def show_sign_up(request: Request) -> Response:
    query = request.query_params
    text = query.get("referral_code")
    code = await find_code(request, text) if text else None
    if response := await page_if_signed_in(request, code):
        return response
    given = {} if text is None else {"referral_code": text}
    return _form(request, given, code=code, next_path=local_path(request, query.get("next")))


@router.post("/sign-up", dependencies=[limited("sign-up")])
async def sign_up(request: Request, form: LocalForm, session: Session, clock: Clock) -> Response:
    """Create an account and sign the user in."""
    if response := await page_if_signed_in(request, None, status=409):
        return response
    services, next_path = services_of(request), local_path(request, form.get("next"))
    given = {
        name: form[name] if name == "password" else form[name].strip()
        for name in REGISTRATION_FIELDS
        if name in form
    }
    try:
        body = UserCreate(**{name: text for name, text in given.items() if text})
        claim = claim_of(request, body.referral_code)
        password_hash = await service.prepare(services, body, claim)
        async with session.begin_nested():  # an error also rolls back the use of the code
            language = services.page_cookies.language(request)
            user, _ = await service.sign_up(
                session, services, body, password_hash=password_hash, language=language, claim=claim
            )
    except (ValidationError, AppError) as error:
        code = await find_code(request, given.get("referral_code", ""))
        others = await service.other_errors(services, given)
        return _form(request, given, code=code, next_path=next_path, error=error, others=others)
    if next_path == link(request, "/"):
        next_path = services.settings.after_sign_up_url or link(request, "/check-mail")
    response = see_other(next_path)
    services.page_cookies.clear_touch(request, response)
    await start_session(request, session, response, user, now=clock())
    return response


async def _refused(request: Request, error: RateLimited) -> Response | None:
    """Return the page of a refused form with a referral code, or None for other requests."""
    if not accepts_html(request) or not is_from_here(request):
        return None
    try:
        form = await read_form(request)
    except FormInvalid:
        return None
    if not (code := form.get("referral_code", "").strip()):
        return None
    query = {"referral_code": code, "next": local_path(request, form.get("next"))}
    return page(
        request,
        "invitation_refused.html",
        status=error.status,
        headers=error.headers,
        here=f"{link(request, '/sign-up')}?{urlencode(query)}",
        was_sent=True,
        **error_values(request, error),
    )


def _form(
    request: Request,
    given: Mapping[str, str],
    *,
    code: CodeFound | None,
    next_path: str,
    error: AppError | ValidationError | None = None,
    others: Sequence[AppError] = (),
) -> Response:
    """Return the form. `code` is the usable code in `given`, which names the referrer."""
    if services_of(request).settings.sign_up == "off":
        raise service.SignUpClosed
    use_ui_locales(request, next_path)
    query = {"referral_code": given.get("referral_code", ""), "next": next_path}
    return page(
        request,
        "sign_up.html",
        **error_context(request, error, REGISTRATION_FIELDS, others=others),
        redirects_to_app=leads_to_an_app(request, next_path),
        redirects_to=services_of(request).settings.after_sign_up_url,
        here=f"{link(request, '/sign-up')}?{urlencode(query)}",
        next_path=next_path,
        code=code,
        known=given.get("referral_code"),
        given=dict.fromkeys(REGISTRATION_FIELDS, "")
        | {name: text for name, text in given.items() if name != "password"},
        providers=services_of(request).social_clients.labels,
        least=services_of(request).settings.password_min_length,
    )
