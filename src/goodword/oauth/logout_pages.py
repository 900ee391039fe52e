"""Logout on request of an app (OpenID Connect RP-Initiated Logout 1.0)."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from goodword.languages import UI_LOCALES, to_translate
from goodword.oauth.clients import Client
from goodword.oauth.errors import UnredirectableError
from goodword.oauth.page_errors import OAuthPageRoute, redirect_to_app
from goodword.rate_limits.dependencies import limited
from goodword.services import services_of
from goodword.sessions import cookies as browser
from goodword.sessions.page_access import LocalForm
from goodword.users import service as users
from goodword.web import urlencoded
from goodword.web.dependencies import Clock, Session
from goodword.web.forms import is_form
from goodword.web.guard import MAX_TARGET
from goodword.web.html.rendering import foreign_form, link, page, see_other
from goodword.web.urlencoded import FormInvalid

PARAMETERS = frozenset(
    {"client_id", "id_token_hint", "logout_hint", "post_logout_redirect_uri", "state", UI_LOCALES}
)
"""Others are ignored, and not repeated in an address."""

router = APIRouter(prefix="/oauth", include_in_schema=False, route_class=OAuthPageRoute)


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    client: Client | None
    subject: str | None
    """The user whom a valid `id_token_hint` names. Others are asked."""
    redirect_uri: str | None
    parameters: Mapping[str, str]

    @property
    def query(self) -> str:
        """Return the query string of the same request."""
        return urlencode(self.parameters)


@router.get("/logout", dependencies=[limited("authorize")])
async def show_logout(request: Request, session: Session, clock: Clock) -> Response:
    """End the browser session if the app proves whose it is, or ask the user."""
    asked = await _read(request, request.scope["query_string"])
    visitor = await browser.visitor(request)
    if visitor is None:
        return _signed_out(request, asked)
    if asked.subject == str(visitor.user_id):
        await browser.end_session(request, session, visitor, now=clock())
        return _signed_out(request, asked)
    user = await users.get(session, visitor.user_id)
    return page(
        request,
        "logout.html",
        redirects_to_app=asked.redirect_uri is not None,
        app=asked.client.name if asked.client else None,
        email=user.email,
        asked=asked.query,
        form_token=services_of(request).page_cookies.form_token(visitor, asked.query),
    )


@router.post("/logout", dependencies=[limited("authorize")])
async def post_logout(request: Request) -> Response:
    """Redirect to the same request with GET: browsers do not send our cookies with a form of another site."""
    if not is_form(request):
        raise UnredirectableError(to_translate("The request is invalid."))
    asked = await _read(request, await request.body())
    target = f"{link(request, '/oauth/logout')}?{asked.query}"
    if len(target) > MAX_TARGET:
        raise UnredirectableError(to_translate("The request is too long."))
    return see_other(target)


@router.post("/logout/confirm", dependencies=[limited("authorize")])
async def confirm_logout(request: Request, form: LocalForm, session: Session, clock: Clock) -> Response:
    """Handle the form of the logout page."""
    visitor = await browser.visitor(request)
    query, cookies = form.get("request", ""), services_of(request).page_cookies
    if visitor is not None:
        if not cookies.is_form_token(visitor, form.get("form_token", ""), query):
            return foreign_form(request)
        if form.get("decision") != "sign-out":
            return see_other(link(request, "/"))
        await browser.end_session(request, session, visitor, now=clock())
    return _signed_out(request, await _read(request, query.encode()))


async def _read(request: Request, query: bytes) -> LogoutRequest:
    """Return the request. Raises `UnredirectableError`, so that the browser is not sent to an unknown address."""
    services = services_of(request)
    try:
        given = urlencoded.parse(query)
    except FormInvalid:
        raise UnredirectableError(to_translate("The request is invalid.")) from None
    parameters = {name: value for name, value in given.items() if name in PARAMETERS}
    request.scope["state"][UI_LOCALES] = parameters.get(UI_LOCALES, "")
    hint = None
    if "id_token_hint" in parameters:
        hint = await services.server_tokens.read_id_token(parameters["id_token_hint"])
        if hint is None or parameters.get("client_id", hint.client_id) != hint.client_id:
            raise UnredirectableError(to_translate("The request has no valid ID token of the app."))
    client_id = hint.client_id if hint else parameters.get("client_id")
    client = await services.oauth_clients.find(services.database, client_id) if client_id else None
    redirect_uri = parameters.get("post_logout_redirect_uri")
    if client is None or redirect_uri is None:
        return LogoutRequest(client, hint.subject if hint else None, None, parameters)
    if not client.allows_after_logout(redirect_uri):
        raise UnredirectableError(to_translate("The app gave a redirect address that it has not registered."))
    return LogoutRequest(client, hint.subject if hint else None, redirect_uri, parameters)


def _signed_out(request: Request, asked: LogoutRequest) -> Response:
    if asked.redirect_uri is not None:
        response = redirect_to_app(asked.redirect_uri, {"state": asked.parameters.get("state")})
    else:
        response = page(request, "signed_out.html", here=link(request, "/"))
    services_of(request).page_cookies.clear(response)
    return response
