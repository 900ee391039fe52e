"""Sign in or join with an account at Google, GitHub or any OpenID provider."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse
from pydantic import AfterValidator

from goodword.errors import AppError, Conflict
from goodword.rate_limits.dependencies import limited
from goodword.services import services_of
from goodword.sessions import client_info, service as sessions
from goodword.sessions.cookies import CLIENT, SCOPE
from goodword.social import errors, flow as flows, service
from goodword.web.dependencies import Clock, Session
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems
from goodword.web.schemas import reject_control_characters

router = APIRouter(prefix="/oauth", tags=["Sessions"], route_class=JsonRoute)

Slug = Annotated[str, Path(examples=["google"], description="`google`, `github` or `oidc`, where set up.")]


def _redirect(where: str, example: str) -> dict[int | str, dict[str, object]]:
    header = {"description": where, "schema": {"type": "string"}, "example": example}
    return {303: {"description": where, "headers": {"Location": header}}}


@router.get(
    "/sign-in/{provider}",
    summary="Sign in or join with another account",
    status_code=303,
    response_class=RedirectResponse,
    responses=_redirect("To the provider.", "https://accounts.google.com/o/oauth2/v2/auth?…")
    | problems(errors.ProviderNotFound, errors.ProviderUnavailable),
    dependencies=[limited("sign-in")],
)
async def begin_outside_sign_in(
    provider: Slug,
    request: Request,
    clock: Clock,
    referral_code: Annotated[
        Annotated[str, AfterValidator(reject_control_characters)] | None,
        Query(max_length=255, description="Whose referral to become, for those who have no account yet."),
    ] = None,
    next_page: Annotated[
        str | None,
        Query(alias="next", description="The page of this site to come to; anything else is `/`."),
    ] = None,
) -> RedirectResponse:
    """Go to the provider. For browsers: a link to this address is the button "Sign in with …".

    A cookie remembers the sign-in for ten minutes, and only the browser that has it can finish it.
    """
    clients = services_of(request).social_clients
    now = clock()
    flow = flows.begin(provider, referral_code=referral_code or None, next_page=next_page, now=now)
    response = RedirectResponse(await clients.authorization_url(flow, now=now), 303)
    clients.cookie.write(response, flow)
    return response


@router.get(
    "/callback/{provider}",
    summary="Come back from a provider",
    status_code=303,
    response_class=RedirectResponse,
    responses=_redirect("To the page that `next` named: signed in, unless the person said no.", "/")
    | problems(
        errors.ProviderNotFound,
        errors.StateInvalid,
        errors.SignInFailed,
        errors.LinkRequired,
        errors.EmailMissing,
        errors.CodeNotUsable,
        errors.ProviderUnavailable,
        Conflict,
    ),
    dependencies=[limited("sign-in")],
)
async def finish_outside_sign_in(
    provider: Slug,
    request: Request,
    session: Session,
    clock: Clock,
    state: Annotated[str, Query(max_length=255)] = "",
    code: Annotated[str | None, Query(max_length=2048)] = None,
    error: Annotated[str | None, Query(max_length=255)] = None,
    iss: Annotated[str | None, Query(max_length=255)] = None,
) -> RedirectResponse:
    """Where the provider sends the browser back to (RFC 6749 §4.1.2). Nobody calls this on their own.

    Somebody who is new gets an account, with the referral if a code came along; a code that cannot be used is
    refused, and no account is made. An account here that has the same address is signed in to if the
    address is verified on both sides; one whose address nobody has verified goes to whoever has.
    """
    services = services_of(request)
    clients = services.social_clients
    clients.find(provider)
    flow = clients.cookie.read(request, provider=provider, state=state, now=clock())
    response = RedirectResponse(flow.next, 303)
    clients.cookie.clear(response)
    if error == "access_denied":
        return response  # they changed their mind
    try:
        person = await clients.identify(flow, code=code, error=error, issuer=iss, now=clock())
        await session.connection()  # wait for the database first: what counts is the time after it
        user = await service.sign_in(
            session,
            person,
            referral_code=flow.referral_code,
            settings=services.settings,
            language=services.page_cookies.language(request),
            clock=clock,
        )
    except errors.ProviderUnavailable:
        raise  # the flow stays, for another try
    except AppError as refused:
        refused.headers["Set-Cookie"] = response.headers["Set-Cookie"]
        raise
    begun = await sessions.create(
        session,
        user,
        client=CLIENT,
        scope=SCOPE,
        client_info=client_info.client_info_of(request),
        now=clock(),
    )
    services.page_cookies.write(response, begun)
    return response
