"""The middleware around every request: request id, actor, standard headers and the request log."""

import time

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from goodword.actor import Actor, ActorContext, actor_context
from goodword.logs import request_id_var
from goodword.rate_limits import limiter
from goodword.services import services_of

SLOW = 1.0
"""Seconds after which a request is always logged."""
READS = {"GET", "HEAD"}

STOPPING = "stopping"
"""In the state of requests of a process that is being stopped."""

log = structlog.get_logger("goodword.request")


HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
HSTS = {"strict-transport-security": "max-age=63072000; includeSubDomains"}


class RequestContextMiddleware:
    """Adds the request id and standard headers to every response, and logs the request."""

    def __init__(self, app: ASGIApp, *, https: bool, log_reads: bool) -> None:
        self.app = app
        self.log_reads = log_reads
        headers = {**HEADERS, **HSTS} if https else HEADERS
        self.headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = str(uuid7())
        scope.setdefault("state", {})["request_id"] = request_id
        request_id_var.set(request_id)
        token = actor_context.set(_anonymous(scope, request_id))
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message["headers"]
                names = {name for name, _ in given}
                ours = [header for header in self.headers if header[0] not in names]
                limit = limiter.headers(scope, status)
                message["headers"] = [*given, *ours, *limit, (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except ClientDisconnect:
            status = 499  # the status that nginx logs for a closed connection
        finally:
            actor_context.reset(token)
            took = time.perf_counter() - began
            # Logging each read may cost more than the response.
            if self.log_reads or status >= 400 or took > SLOW or scope["method"] not in READS:
                method, route = scope["method"], route_of(scope)
                log.info("request", method=method, route=route, status=status, ms=round(took * 1000, 1))


def _anonymous(scope: Scope, request_id: str) -> ActorContext:
    peer = scope.get("client")
    clock = services_of(scope).clock
    return ActorContext(Actor.ANONYMOUS, request_id=request_id, peer=peer[0] if peer else None, clock=clock)


def route_of(scope: Scope) -> str:
    # The template, because paths and queries contain codes and addresses.
    return getattr(scope.get("route"), "path_format", "-")
