"""Endpoints of the sign-in with Google, GitHub or another OpenID provider."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse

from goodword.attribution import service as attribution
from goodword.codes import code_format
from goodword.codes.schemas import PastedCode
from goodword.errors import AppError, Conflict
from goodword.providers.email_checks import EmailUndeliverable
from goodword.rate_limits.dependencies import limited
from goodword.services import services_of
from goodword.sessions.cookies import start_session
from goodword.signup.claims import claim_of
from goodword.signup.service import SignUpClosed
from goodword.social import errors, flow as flows, service
from goodword.web.dependencies import Clock, Session
from goodword.web.forms import local_path
from goodword.web.html.rendering import link
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems

router = APIRouter(prefix="/oauth", tags=["Sessions"], route_class=JsonRoute)

Slug = Annotated[str, Path(examples=["google"], description="`google`, `github` or `oidc`, if configured.")]


def _redirect(description: str, example: str) -> dict[int | str, dict[str, object]]:
    header = {"description": description, "schema": {"type": "string"}, "example": example}
    return {303: {"description": description, "headers": {"Location": header}}}


@router.get(
    "/sign-in/{provider}",
    summary="Sign in with a provider",
    status_code=303,
    response_class=RedirectResponse,
    responses=_redirect("To the provider.", "https://accounts.google.com/o/oauth2/v2/auth?…")
    | problems(errors.ProviderNotFound, errors.ProviderUnavailable, errors.NextTooLong),
    dependencies=[limited("sign-in")],
)
async def begin_provider_sign_in(
    provider: Slug,
    request: Request,
    clock: Clock,
    referral_code: Annotated[
        PastedCode | None, Query(description="The referral code of a user who registers, or its link.")
    ] = None,
    next_page: Annotated[
        str | None,
        Query(alias="next", description="The local path to redirect to. Another value means the home page."),
    ] = None,
) -> RedirectResponse:
    """Redirect a browser to the provider. The link of the button "Sign in with …" is this address.

    A cookie holds the state of the sign-in for ten minutes. Only the browser with this cookie can finish it.
    """
    clients = services_of(request).social_clients
    now = clock()
    if referral_code is None:  # another tab may know it
        referral_code = clients.cookie.referral_code(request, now=now)
    if referral_code:  # the cookie has no room for a long link
        referral_code = code_format.normalise(referral_code) or referral_code[:64]
    after = local_path(request, next_page)
    flow = flows.begin(provider, referral_code=referral_code or None, next_page=after, now=now)
    response = RedirectResponse(await clients.authorization_url(flow, now=now), 303)
    clients.cookie.write(response, flow)
    return response


@router.get(
    "/callback/{provider}",
    summary="Finish the sign-in with a provider",
    status_code=303,
    response_class=RedirectResponse,
    responses=_redirect(
        "To the path in `next`; to the registration if the user cancelled and has a code.", "/"
    )
    | problems(
        errors.ProviderNotFound,
        errors.StateInvalid,
        errors.SignInFailed,
        errors.LinkRequired,
        errors.EmailMissing,
        errors.CodeNotUsable,
        errors.CodeRequired,
        SignUpClosed,
        EmailUndeliverable,
        errors.ProviderUnavailable,
        Conflict,
    ),
    dependencies=[limited("sign-in")],
)
async def finish_provider_sign_in(
    provider: Slug,
    request: Request,
    session: Session,
    clock: Clock,
    state: Annotated[str, Query(max_length=255, description="The `state` of the request.")] = "",
    code: Annotated[str | None, Query(max_length=2048, description="The authorization code.")] = None,
    error: Annotated[str | None, Query(max_length=255, description="Why there is no code.")] = None,
    iss: Annotated[str | None, Query(max_length=255, description="The issuer (RFC 9207).")] = None,
) -> RedirectResponse:
    """Receive the redirect of the provider (RFC 6749 §4.1.2) and sign the user in.

    A new user gets an account, with the referral if a code was given. A code that cannot be used is refused, and
    no account is created. An account with the same address is linked if the address is verified on both sides.
    An account whose address was never verified is taken over by the user whose address the provider has verified.
    """
    services = services_of(request)
    clients = services.social_clients
    clients.find(provider)
    # Set for the error pages, whose links lead to the registration.
    request.state.referral_code = clients.cookie.referral_code(request, now=clock())
    flow = clients.cookie.read(request, provider=provider, state=state, now=clock())
    if error == "access_denied":  # the user cancelled
        response = RedirectResponse(_after_cancellation(request, flow), 303)
        clients.cookie.clear(response)
        return response
    response = RedirectResponse(flow.next, 303)
    clients.cookie.clear(response)
    try:
        identity = await clients.identify(flow, code=code, error=error, issuer=iss, now=clock())
        await service.ensure_may_join(services, identity)
        claim = claim_of(request, flow.referral_code)
        await attribution.prepare(services, claim)
        began = clock()
        await session.connection()  # the time is read after the wait for the database
        language = services.page_cookies.language(request)
        user = await service.sign_in(session, services, identity, claim=claim, language=language)
    except errors.ProviderUnavailable:
        raise  # the cookie stays for another attempt
    except AppError as refused:
        refused.headers["Set-Cookie"] = response.headers["Set-Cookie"]
        raise
    product = services.settings.after_sign_up_url
    if user.created_at >= began:  # a new user
        services.page_cookies.clear_touch(request, response)
        if product and flow.next == link(request, "/"):
            response.headers["Location"] = product
    await start_session(request, session, response, user, now=clock())
    return response


def _after_cancellation(request: Request, flow: flows.Flow) -> str:
    if not flow.referral_code:
        return flow.next
    query = urlencode({"referral_code": flow.referral_code, "next": flow.next})
    return f"{link(request, '/sign-up')}?{query}"
