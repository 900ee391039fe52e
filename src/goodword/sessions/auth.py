"""Who is calling: the access token of a request, checked against the session it belongs to."""

import uuid
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer, SecurityScopes
from sqlalchemy import Row

from goodword import actor
from goodword.cache.memory import CacheEntry
from goodword.db.transaction_hooks import ACTOR
from goodword.errors import InsufficientScope, TokenInvalid, Unauthorized, UserRequired
from goodword.rate_limits.dependencies import count_write
from goodword.services import Services, services_of
from goodword.sessions import service
from goodword.sessions.actor_lock import Acting
from goodword.sessions.tokens import EMBED, Claims, NoUser
from goodword.users import service as users
from goodword.web.request_context import READS

REMEMBERED = 4.0
"""Seconds that an active session is cached."""
Live = Row[Any] | None

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="AccessToken",
    bearerFormat="JWT",
    description="The `access_token` of `POST /api/v1/sessions`.",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """The user and session of an access token, and its scopes."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    scopes: frozenset[str]


async def authenticate(request: Request, needed: frozenset[str] = frozenset()) -> Caller:
    """Return the caller of a request with a valid access token.

    Raises `Unauthorized` without a token, `TokenInvalid`, `InsufficientScope` if a scope is missing, and
    `UserRequired` for the token of an app itself.
    """
    token = bearer_token(request)
    if token is None:
        raise Unauthorized
    return await authenticate_token(request, token, needed)


def bearer_token(request: Request) -> str | None:
    """Return the token in the header `Authorization`. None without the header, and for another scheme."""
    # The raw header: `request.headers` takes longer than all that follows.
    given = next((value for name, value in request.scope["headers"] if name == b"authorization"), b"")
    scheme, _, token = given.decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def authenticate_token(request: Request, token: str, needed: frozenset[str]) -> Caller:
    """Return the caller of a request with this access token. Raises what `authenticate` raises."""
    services = services_of(request)
    claims = await _live_claims(services, token)
    if (missing := needed - claims.scopes) or EMBED in claims.scopes:
        raise InsufficientScope(missing)
    return _act(request, services, claims)


def _act(request: Request, services: Services, claims: Claims) -> Caller:
    actor.mark_authenticated(claims.user_id, claims.client)
    if request.method not in READS:
        request.scope["state"][ACTOR] = Acting(claims.user_id, claims.session_id, services.clock)
    return Caller(claims.user_id, claims.session_id, claims.scopes)


async def _live_claims(services: Services, token: str) -> Claims:
    """Return the claims of a user's token with an active session."""
    try:
        claims = await services.access_tokens.verify(token, now=services.clock())
    except NoUser:
        raise UserRequired from None
    if services.live_sessions.peek(claims.session) is None and await _live(services, claims) is None:
        raise TokenInvalid
    return claims


async def _live(services: Services, claims: Claims) -> Live:
    """Return the active session, cached for `REMEMBERED` seconds.

    The end of a session invalidates the entry at once in this node, and in others by Redis; without it, they notice
    when it expires.
    """

    async def look() -> CacheEntry[Live]:
        found = await service.find_active(services.database, claims.session_id, now=services.clock())
        return CacheEntry(found, min(found.expires_at, found.idle_expires_at).timestamp() if found else 0.0)

    name = service.cache_key(claims.user_id)
    return await services.live_sessions.get(claims.session, look, invalidated_by=name)


async def get_caller(
    request: Request, needed: SecurityScopes, _shown: Annotated[object, Depends(bearer)]
) -> Caller:
    caller = await authenticate(request, frozenset(needed.scopes))
    if request.method not in READS:
        await count_write(request, caller.user_id)
    return caller


async def get_viewer(
    request: Request, needed: SecurityScopes, _shown: Annotated[object, Depends(bearer)]
) -> Caller:
    """Return the caller of a read that the tokens of embeds open too, which have a scope of their own."""
    token = bearer_token(request)
    if token is None:
        raise Unauthorized
    services = services_of(request)
    claims = await _live_claims(services, token)
    if EMBED not in claims.scopes and (missing := frozenset(needed.scopes) - claims.scopes):
        raise InsufficientScope(missing)
    return _act(request, services, claims)


async def is_administrator(request: Request, caller: Caller) -> bool:
    """Return whether the token has the scope `admin` and its account is still an administrator's."""
    database = services_of(request).database
    return "admin" in caller.scopes and await users.is_administrator(database, caller.user_id)


# Dependencies on the caller, with the scope that the token must have.
OpenId = Annotated[Caller, Security(get_caller, scopes=["openid"])]
Profile = Annotated[Caller, Security(get_caller, scopes=["profile"])]
Account = Annotated[Caller, Security(get_caller, scopes=["account"])]
CodesReader = Annotated[Caller, Security(get_caller, scopes=["codes:read"])]
CodesWriter = Annotated[Caller, Security(get_caller, scopes=["codes:write"])]
ReferralsReader = Annotated[Caller, Security(get_caller, scopes=["referrals:read"])]
CodesViewer = Annotated[Caller, Security(get_viewer, scopes=["codes:read"])]
ReferralsViewer = Annotated[Caller, Security(get_viewer, scopes=["referrals:read"])]
