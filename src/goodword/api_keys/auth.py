"""Which server is calling: an API key, or the access token of an OAuth client itself."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, NamedTuple

import structlog
from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer, SecurityScopes
from sqlalchemy import Connection, Executable
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout

from goodword import actor
from goodword.api_keys import service
from goodword.cache.memory import CacheEntry
from goodword.db.transaction_hooks import ACTOR, HookedSession
from goodword.errors import InsufficientScope, TokenInvalid, Unauthorized
from goodword.oauth import clients, scopes
from goodword.rate_limits.dependencies import count_server_write, count_write
from goodword.services import Services, services_of
from goodword.sessions.auth import authenticate_token, bearer, bearer_token, is_administrator
from goodword.sessions.tokens import ClientClaims, NoUser
from goodword.web.request_context import READS

REMEMBERED = 0.9
"""Seconds that a key or client is cached. The promise is one second, on nodes without Redis too."""

log = structlog.get_logger("goodword.api_keys")

api_key = HTTPBearer(
    auto_error=False,
    scheme_name="ApiKey",
    bearerFormat="gwk_…",
    description="A key of `goodword api-key create`, or of the administrators' page *Apps and keys*.",
)
optional_api_key = HTTPBearer(auto_error=False, scheme_name="OptionalApiKey")
"""`web.openapi` documents operations with it as open, with an API key as an alternative."""


class KeyRequired(Unauthorized):
    detail = "Send an API key, or the access token of an app, as `Authorization: Bearer …`."


class KeyInvalid(TokenInvalid):
    """A key or a client's token that is unknown, expired or revoked."""

    detail = "The API key or access token is invalid, revoked or has expired."


class ServerRequired(InsufficientScope):
    """The access token of a user, for an operation of servers."""

    detail = "This operation is for servers. Send an API key, or an access token from `client_credentials`."


@dataclass(frozen=True, slots=True)
class ServerCaller:
    """A server that calls the API."""

    caller: str
    """Identifies it for idempotency and rate limits: the id of the key, or the `client_id`."""
    name: str
    scopes: frozenset[str]
    program_id: uuid.UUID | None
    """The only program that it can reach. None: all programs."""


class Known(NamedTuple):
    """A server as the cache has it, and the statement that reads its row again."""

    server: ServerCaller
    id: uuid.UUID
    audited_as: str
    """The name in the audit log: of the key, or the `client_id`."""
    again: tuple[Executable, Mapping[str, object]]


@dataclass(slots=True)
class ActingServer:
    """A server that writes. A transaction that begins long after the authentication checks it again."""

    known: Known
    authenticated_at: float

    def lock(self, _session: HookedSession, connection: Connection) -> None:
        """Raise `KeyInvalid` if the key or client was revoked while the request was read.

        No row is locked: all writes of a server would wait for each other at it.
        """
        if time.monotonic() - self.authenticated_at > REMEMBERED:
            statement, values = self.known.again
            if connection.execute(statement, values).first() is None:
                raise KeyInvalid


async def get_server(
    request: Request, needed: SecurityScopes, _shown: Annotated[object, Depends(api_key)]
) -> ServerCaller:
    """Return the server that calls, with the scopes that the operation needs.

    Raises `KeyRequired`, `KeyInvalid` and `InsufficientScope`, and `ServerRequired` for a user's token.
    """
    token = bearer_token(request)
    if token is None:
        raise KeyRequired
    server = await _authenticate(request, token, frozenset(needed.scopes))
    if server is None:
        await authenticate_token(request, token, frozenset())
        raise ServerRequired
    return server


async def optional_server(
    request: Request, needed: SecurityScopes, _shown: Annotated[object, Depends(optional_api_key)]
) -> ServerCaller | None:
    """Return the server that calls, or None for everybody else. Raises `KeyInvalid` and `InsufficientScope`."""
    token = bearer_token(request)
    if token is None:
        return None
    server = await _authenticate(request, token, frozenset(needed.scopes))
    if server is None:
        await authenticate_token(request, token, frozenset())
    return server


async def get_server_or_administrator(
    request: Request,
    needed: SecurityScopes,
    _key: Annotated[object, Depends(api_key)],
    _token: Annotated[object, Depends(bearer)],
) -> ServerCaller:
    """Return the server that calls, or an administrator as a server without a limit. Raises as `get_server`."""
    token = bearer_token(request)
    if token is None:
        raise KeyRequired
    server = await _authenticate(request, token, frozenset(needed.scopes))
    if server is not None:
        return server
    caller = await authenticate_token(request, token, frozenset({"admin"}))
    if not await is_administrator(request, caller):
        raise InsufficientScope({"admin"})
    if request.method not in READS:
        request.scope["state"][ACTOR].administers = True
        await count_write(request, caller.user_id)
    return ServerCaller(str(caller.user_id), "", frozenset(needed.scopes), None)


async def _authenticate(request: Request, token: str, needed: frozenset[str]) -> ServerCaller | None:
    """Return the server with this token, or None if it may be a user's."""
    services = services_of(request)
    if token.startswith(service.PREFIX):
        known = await _known_key(services, token)
        held = known.server.scopes if known else frozenset()
    else:
        claims = await _client_claims(services, token)
        if claims is None:
            return None
        known = await _known_client(services, claims.client)
        held = known.server.scopes & claims.scopes if known else frozenset()
    if known is None:
        raise KeyInvalid
    if missing := needed - held:
        raise InsufficientScope(missing)
    actor.mark_server(known.id, known.audited_as)
    if request.method not in READS:
        request.scope["state"][ACTOR] = ActingServer(known, time.monotonic())
        await count_server_write(request, known.server.caller)
    return known.server


async def _client_claims(services: Services, token: str) -> ClientClaims | None:
    try:
        await services.access_tokens.verify(token, now=services.clock())
    except NoUser as error:
        return error.claims
    except TokenInvalid:
        raise KeyInvalid from None
    return None


async def _known_key(services: Services, text: str) -> Known | None:
    mac = service.mac_of(services.keys.api_keys, text)
    if mac is None:
        return None

    async def look() -> CacheEntry[Known | None]:
        now = services.clock()
        row = await service.find(services.database, mac, now=now)
        if row is None:
            return CacheEntry(None, 0.0)
        if row.last_used_on != now.date():
            await _record_use(services, row.id, now)
        server = ServerCaller(str(row.id), row.name, frozenset(row.scope.split()), row.program_id)
        until = row.expires_at.timestamp() if row.expires_at else float("inf")
        again = service.LIVE, {"key_mac": mac, "now": now}
        return CacheEntry(Known(server, row.id, row.name, again), until)

    name = service.cache_key(mac)
    return await services.known_servers.get(name, look, invalidated_by=name)


async def _record_use(services: Services, key_id: uuid.UUID, now: datetime) -> None:
    """Record the first use of a day. A database that cannot be written to can still be read."""
    try:
        await service.record_use(services.database, key_id, now.date())
    except (DBAPIError, PoolTimeout, OSError):
        log.warning("the last use of an API key was not recorded")


async def _known_client(services: Services, client_id: str) -> Known | None:
    async def look() -> CacheEntry[Known | None]:
        client = await services.oauth_clients.find(services.database, client_id)
        if client is None or "client_credentials" not in client.grant_types:
            return CacheEntry(None, 0.0)
        server = ServerCaller(client_id, client.name, client.scopes & scopes.SERVER_SCOPES.keys(), None)
        again = clients.BY_ID, {"client_id": client_id}
        return CacheEntry(Known(server, client.id, client_id, again), float("inf"))

    name = clients.cache_key(client_id)
    return await services.known_servers.get(name, look, invalidated_by=name)


# Dependencies on the server, with the scope that its key or token must have.
ParticipantsReader = Annotated[ServerCaller, Security(get_server, scopes=["participants:read"])]
ParticipantsWriter = Annotated[ServerCaller, Security(get_server, scopes=["participants:write"])]
EventsReader = Annotated[ServerCaller, Security(get_server, scopes=["events:read"])]
EventsWriter = Annotated[ServerCaller, Security(get_server, scopes=["events:write"])]
RewardsReader = Annotated[ServerCaller, Security(get_server, scopes=["rewards:read"])]
RewardsWriter = Annotated[ServerCaller, Security(get_server, scopes=["rewards:write"])]
ReferralsReviewer = Annotated[
    ServerCaller, Security(get_server_or_administrator, scopes=["referrals:review"])
]
WebhooksReader = Annotated[ServerCaller, Security(get_server, scopes=["webhooks:read"])]
WebhooksWriter = Annotated[ServerCaller, Security(get_server, scopes=["webhooks:write"])]
ProgramsReader = Annotated[ServerCaller, Security(get_server_or_administrator, scopes=["programs:read"])]
ProgramsWriter = Annotated[ServerCaller, Security(get_server_or_administrator, scopes=["programs:write"])]
OptionalParticipantsReader = Annotated[
    ServerCaller | None, Security(optional_server, scopes=["participants:read"])
]
