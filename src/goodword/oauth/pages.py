"""The authorization endpoint (RFC 6749 §3.1) and its consent page."""

import secrets
from datetime import datetime, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.errors import TokenInvalid
from goodword.languages import UI_LOCALES, to_translate
from goodword.oauth import authorization_request, consents, scopes
from goodword.oauth.authorization_request import AuthorizationRequest
from goodword.oauth.consents import Consent, ConsentRequired
from goodword.oauth.errors import UnredirectableError
from goodword.oauth.page_errors import OAuthPageRoute, redirect_to_app
from goodword.oauth.pending_request import shorten
from goodword.rate_limits.dependencies import limited
from goodword.services import services_of
from goodword.sessions import cookies as browser
from goodword.sessions.cookies import Visitor
from goodword.web.dependencies import Clock, Session
from goodword.web.forms import is_form, is_from_here, read_form
from goodword.web.guard import MAX_TARGET
from goodword.web.html.rendering import foreign_form, link, message_page, page, see_other, translate_for
from goodword.web.urlencoded import FormInvalid

router = APIRouter(prefix="/oauth", include_in_schema=False, route_class=OAuthPageRoute)

MAX_CODE = 255
PAGE_LIFETIME = timedelta(minutes=10)
STALE = to_translate(
    "This page has already been answered or has expired. Go back to the app and start again."
)


@router.get("/authorize", dependencies=[limited("authorize")])
async def show_consent(request: Request, session: Session, clock: Clock) -> Response:
    """Show the consent page, or redirect at once if an earlier consent covers the request."""
    return await _show(request, session, clock())


@router.post("/authorize", dependencies=[limited("authorize")])
async def post_authorize(request: Request) -> Response:
    """Redirect to the same request with GET: browsers do not send our cookies with a form of another site."""
    if not is_form(request):
        raise UnredirectableError(to_translate("The request is invalid."))
    asked = await _read(request, await request.body())
    return _redirect(asked, f"{link(request, '/oauth/authorize')}?{shorten(asked.parameters)}")


@router.post("/consent", dependencies=[limited("authorize")])
async def answer_consent(request: Request, session: Session, clock: Clock) -> Response:
    """Handle the consent form. It works once, and only for the visitor to whom the page was shown."""
    visitor = await browser.visitor(request)
    try:
        form = await read_form(request)
    except FormInvalid:
        form = {}
    if visitor is None or not is_from_here(request) or not _is_own(request, visitor, form):
        return foreign_form(request)
    now = clock()
    if now.timestamp() - int(form["once"].partition(".")[0]) > PAGE_LIFETIME.total_seconds():
        return message_page(request, 403, to_translate("No longer possible"), STALE)
    asked = await _read(request, form["request"].encode())
    if form.get("decision") != "allow":
        raise asked.send_back("access_denied", "The person said no.")
    shown = frozenset(form["scope"].split())
    return await _issue_code(request, session, asked, visitor, shown, form["once"], now)


async def _show(request: Request, session: AsyncSession, now: datetime) -> Response:
    services = services_of(request)
    asked = await _read(request, request.scope["query_string"])
    visitor = await browser.visitor(request)
    if visitor is None or not asked.is_recent(visitor.signed_in_at, now=now):
        if "none" in asked.prompt:
            raise asked.send_back("login_required", "The person has to sign in.")
        return _to_sign_in(request, asked, now)
    if not asked.is_expected(visitor.user_id):  # OpenID Connect Core §3.1.2.1, §3.1.2.2
        if "none" in asked.prompt or asked.since is not None:
            raise asked.send_back("login_required", "Another person than that of id_token_hint is signed in.")
        return _to_sign_in(request, asked, now)
    question = await consents.question(services.database, asked, visitor.user_id)
    if not question.scopes:
        raise asked.send_back("access_denied", "The person cannot give any of this.")
    once = f"{int(now.timestamp())}.{secrets.token_urlsafe(16)}"
    if question.is_answered:
        try:
            return await _issue_code(
                request, session, asked, visitor, question.scopes, once, now, is_remembered=True
            )
        except ConsentRequired:  # the consent was revoked a moment ago: ask for a new one
            pass
    if "none" in asked.prompt:
        raise asked.send_back("consent_required", "The person has to be asked.")
    shown = scopes.text(question.scopes)
    return page(
        request,
        "consent.html",
        redirects_to_app=True,
        app=asked.client.name,
        email=question.email,
        scopes=[translate_for(request, words) for words in scopes.descriptions(question.scopes)],
        redirect_uri=asked.redirect_uri,
        asked=asked.query,
        scope=shown,
        once=once,
        form_token=services.page_cookies.form_token(visitor, once, asked.query, shown),
        sign_in=_sign_in_link(request, asked, now),
    )


async def _read(request: Request, query: bytes) -> AuthorizationRequest:
    services = services_of(request)
    asked = await authorization_request.read(
        services.database, services.oauth_clients, services.server_tokens, query
    )
    request.scope["state"][UI_LOCALES] = asked.parameters.get(UI_LOCALES, "")
    return asked


def _is_own(request: Request, visitor: Visitor, form: dict[str, str]) -> bool:
    """Return whether the form was shown to this visitor for this request."""
    if not {"form_token", "once", "request", "scope"} <= form.keys():
        return False
    cookies = services_of(request).page_cookies
    about = form["once"], form["request"], form["scope"]
    return bool(cookies.is_form_token(visitor, form["form_token"], *about))


async def _issue_code(
    request: Request,
    session: AsyncSession,
    asked: AuthorizationRequest,
    visitor: Visitor,
    shown: frozenset[str],
    once: str,
    now: datetime,
    *,
    is_remembered: bool = False,
) -> Response:
    consent = Consent(
        visitor.user_id, visitor.session_id, visitor.signed_in_at, shown, once, is_remembered=is_remembered
    )
    try:
        code = await consents.issue(session, services_of(request).keys.oauth, asked, consent, now=now)
    except TokenInvalid:  # the account or the browser session ended, or lost a right, a moment ago
        error = "login_required" if "none" in asked.prompt else "access_denied"
        raise asked.send_back(error, "The person cannot be asked any more.") from None
    if code is None:
        return message_page(request, 403, to_translate("Already answered"), STALE)
    issuer = services_of(request).settings.public_url  # against mix-up of servers (RFC 9207)
    return redirect_to_app(asked.redirect_uri, {"code": code, "state": asked.state, "iss": issuer})


def _sign_in_link(request: Request, asked: AuthorizationRequest, now: datetime) -> str:
    after = f"{link(request, '/oauth/authorize')}?{asked.after_sign_in(now)}"
    parameters = {"next": after}
    if asked.login_hint:
        parameters["login_hint"] = asked.login_hint
    if code := asked.parameters.get("referral_code"):  # for a person who registers
        parameters["referral_code"] = code[:MAX_CODE]
    return f"{link(request, '/sign-in')}?{urlencode(parameters)}"


def _to_sign_in(request: Request, asked: AuthorizationRequest, now: datetime) -> Response:
    return _redirect(asked, _sign_in_link(request, asked, now))


def _redirect(asked: AuthorizationRequest, url: str) -> Response:
    if len(url) > MAX_TARGET:
        raise asked.send_back("invalid_request", "The request is too long.")
    return see_other(url)
