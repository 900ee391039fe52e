"""The token, revocation and introspection endpoints."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from goodword import actor
from goodword.oauth import introspection, scopes, service
from goodword.oauth.clients import Client
from goodword.oauth.error_responses import documented
from goodword.oauth.errors import InvalidClient, InvalidGrant, OAuthError
from goodword.oauth.schemas import Introspection, TokenAnswer
from goodword.rate_limits.dependencies import count_app, limited
from goodword.services import services_of
from goodword.sessions import client_info, service as sessions
from goodword.sessions.models import UserSession
from goodword.web.dependencies import Clock, Session
from goodword.web.forms import read_form
from goodword.web.urlencoded import FORM

router = APIRouter(prefix="/oauth", tags=["Authorized apps"])


def form_docs(
    title: str, required: list[str], properties: dict[str, str], **examples: dict[str, str]
) -> dict[str, Any]:
    """Return the OpenAPI request body of an operation. FastAPI cannot derive it: the form is read strictly."""
    schema = {
        "title": title,
        "type": "object",
        "required": required,
        "properties": {name: {"type": "string", "description": about} for name, about in properties.items()},
    }
    shown = {name: {"value": value} for name, value in examples.items()}
    return {"requestBody": {"required": True, "content": {FORM: {"schema": schema, "examples": shown}}}}


CLIENT_FIELDS = {
    "client_id": "Of an app; a confidential one may authenticate with HTTP Basic instead.",
    "client_secret": "Of a confidential app that does not use HTTP Basic.",
}
TOKEN_FIELDS = {
    "grant_type": "`authorization_code`, `refresh_token` or `client_credentials`.",
    "code": "With `authorization_code`: what the app was sent.",
    "redirect_uri": "With `authorization_code`: where it was sent, to the letter.",
    "code_verifier": "With `authorization_code`, if the app sent a challenge: 43 to 128 characters.",
    "refresh_token": "With `refresh_token`.",
    "scope": "Less than was granted, or, with `client_credentials`, than the app is registered for.",
    **CLIENT_FIELDS,
}
TOKEN_DOCS = form_docs(
    "OAuthTokenRequest",
    ["grant_type"],
    TOKEN_FIELDS,
    refresh={"grant_type": "refresh_token", "refresh_token": "gwr_AZrd0c…"},
    code={
        "grant_type": "authorization_code",
        "code": "gwa_3q2-7w…",
        "redirect_uri": "https://app.example/callback",
        "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        "client_id": "gwc_5f0c1d2e3b4a596877869504",
    },
)


async def identify(request: Request, form: Mapping[str, str]) -> Client:
    services = services_of(request)
    # Never from the query: addresses are logged and kept (RFC 6749 §2.3.1).
    found: Client = await services.oauth_clients.identify(
        services.database, request.headers.get("authorization"), form
    )
    if not found.is_public:
        await count_app(request, found.client_id)
    actor.current_context().client = found.client_id
    return found


def required(form: Mapping[str, str], name: str) -> str:
    if name not in form:
        raise OAuthError("invalid_request", f"{name} is missing.")
    return form[name]


@router.post(
    "/token",
    summary="Get tokens",
    openapi_extra=TOKEN_DOCS,
    responses=documented(
        "`invalid_request`, `invalid_scope`, `unsupported_grant_type`, `unauthorized_client`, or "
        "`invalid_grant`: the code or token is unknown, spent, expired, or of a session that has ended."
    ),
    response_model_exclude_none=True,
    dependencies=[limited("token")],
)
async def request_tokens(request: Request, session: Session, clock: Clock) -> TokenAnswer:
    """Trade a refresh token, an authorization code or an app's credentials for tokens (RFC 6749 §3.2).

    A refresh token works once. First-party sessions send it alone. For ten seconds the previous token returns the
    current pair, in case the response was lost or two tabs refresh at once. Confidential apps, which authenticate,
    have no such grace period. A replay of an older token ends the session.
    """
    form = await read_form(request)
    grant = required(form, "grant_type")
    if grant == "refresh_token" and not _is_app(request, form):
        return await _refresh_own(request, session, clock, form)
    if grant not in GRANTS:
        raise OAuthError("unsupported_grant_type", f"Use one of {', '.join(GRANTS)}.")
    client = await identify(request, form)
    if grant not in client.grant_types:
        raise OAuthError("unauthorized_client", f"This app is not registered for {grant}.")
    return await GRANTS[grant](request, session, clock, form, client)


def _is_app(request: Request, form: Mapping[str, str]) -> bool:
    basic = request.headers.get("authorization", "").lower().startswith("basic ")
    return basic or "client_id" in form or "client_secret" in form


async def _refresh_own(
    request: Request, session: Session, clock: Clock, form: Mapping[str, str]
) -> TokenAnswer:
    services = services_of(request)
    try:
        sign_in = await sessions.refresh(
            session,
            services.refresh_tokens,
            required(form, "refresh_token"),
            hashes=client_info.client_hashes_of(request),
            now=clock(),
        )
    except sessions.RefreshRefused:
        raise InvalidGrant("The refresh token is invalid, used or expired.") from None
    return _token_response(request, sign_in, sign_in.scope, clock, refreshable=True)


async def _exchange(
    request: Request, session: Session, clock: Clock, form: Mapping[str, str], client: Client
) -> TokenAnswer:
    services = services_of(request)
    exchanged = await service.exchange(
        session,
        services.keys.oauth,
        client,
        code=required(form, "code"),
        redirect_uri=required(form, "redirect_uri"),
        verifier=form.get("code_verifier"),
        client_info=client_info.client_info_of(request),
        access_lifetime=services.access_tokens.lifetime,
        now=clock(),
    )
    scope = exchanged.sign_in.scope
    found = _token_response(
        request, exchanged.sign_in, scope, clock, refreshable=service.may_refresh(client, scope)
    )
    if "openid" not in scope.split():
        return found
    id_token = services.server_tokens.id_token(
        client=client,
        subject=str(exchanged.sign_in.user_id),
        user_claims=exchanged.id_token_claims,
        access_token=found.access_token,
        auth_time=exchanged.signed_in_at,
        nonce=exchanged.nonce,
        now=clock(),
    )
    return found.model_copy(update={"id_token": id_token})


async def _refresh(
    request: Request, session: Session, clock: Clock, form: Mapping[str, str], client: Client
) -> TokenAnswer:
    sign_in, scope = await service.refresh(
        session,
        services_of(request).refresh_tokens,
        client,
        token=required(form, "refresh_token"),
        scope=form.get("scope"),
        now=clock(),
    )
    return _token_response(request, sign_in, scope, clock, refreshable=True)


async def _credentials(
    request: Request, _session: Session, clock: Clock, form: Mapping[str, str], client: Client
) -> TokenAnswer:
    services = services_of(request)
    scope = service.client_scope(client, form.get("scope"))
    access = services.server_tokens.for_client(client.client_id, scope, now=clock())
    return TokenAnswer(access_token=access, expires_in=services.access_tokens.lifetime, scope=scope)


GRANTS = {
    "authorization_code": _exchange,
    "refresh_token": _refresh,
    "client_credentials": _credentials,
}


def _token_response(
    request: Request, sign_in: UserSession, scope: str, clock: Clock, *, refreshable: bool
) -> TokenAnswer:
    services = services_of(request)
    access = services.access_tokens.sign(
        user_id=sign_in.user_id, session_id=sign_in.id, client=sign_in.client, scope=scope, now=clock()
    )
    return TokenAnswer(
        access_token=access,
        expires_in=services.access_tokens.lifetime,
        scope=scope,
        refresh_token=services.refresh_tokens.write(sign_in.id, sign_in.counter) if refreshable else None,
    )


ONE_TOKEN = form_docs(
    "OAuthTokenForm",
    ["token"],
    {"token": "An access token or a refresh token.", "token_type_hint": "Not needed.", **CLIENT_FIELDS},
    token={"token": "gwr_AZrd0c…", "client_id": "gwc_5f0c1d2e3b4a596877869504"},
)


@router.post(
    "/revoke",
    summary="Give a token back",
    openapi_extra=ONE_TOKEN,
    responses={
        **documented("`invalid_request`, or `unsupported_token_type`: an app's own token just expires."),
        200: {"description": "The token is revoked. An unknown token gets the same response."},
    },
    response_class=Response,
    dependencies=[limited("token")],
)
async def revoke_token(request: Request, session: Session, clock: Clock) -> Response:
    """End the session that an access token or a refresh token of the app belongs to (RFC 7009).

    An unknown token, or one of another client, gets the same response as a revoked one.
    """
    form = await read_form(request)
    client = await identify(request, form)
    shown = required(form, "token")
    services, now = services_of(request), clock()
    found = await introspection.find(
        services.database, services.access_tokens, services.refresh_tokens, client, shown, now=now
    )
    if found is None:
        return Response()
    if found.session_id is None:
        raise OAuthError("unsupported_token_type", "An app's own token cannot be revoked: it just expires.")
    await sessions.revoke_one(session, found.session_id, why="revoked_by_app", now=now)
    return Response()


@router.post(
    "/introspect",
    summary="Ask about a token",
    openapi_extra=ONE_TOKEN,
    responses=documented("`invalid_request`."),
    response_model_exclude_none=True,
    dependencies=[limited("token")],
)
async def introspect_token(request: Request, clock: Clock) -> Introspection:
    """Return whether a token of the client is active, and its scope (RFC 7662). For confidential clients."""
    form = await read_form(request)
    client = await identify(request, form)
    if client.is_public:
        raise InvalidClient("Anybody can call themselves a public app.")
    services, now = services_of(request), clock()
    shown = required(form, "token")
    found = await introspection.find(
        services.database, services.access_tokens, services.refresh_tokens, client, shown, now=now
    )
    if found is None or not found.is_active:
        return Introspection(active=False)
    return Introspection(
        active=True,
        scope=scopes.text(found.scopes),
        client_id=client.client_id,
        sub=found.subject,
        iss=services.server_tokens.issuer,
        token_type=found.token_type,
        iat=found.issued_at,
        exp=found.expires_at,
    )
