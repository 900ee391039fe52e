"""The edge of the service: the middleware around every request, and how a body is read."""

import time

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from goodword.actor import Actor, ActorContext, actor_context as current_origin
from goodword.logs import request_id_var
from goodword.rate_limits import limiter
from goodword.services import services_of

SLOW = 1.0
"""Seconds after which a request is worth a line, whatever it was."""
READS = {"GET", "HEAD"}

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
    """Request id, log line and standard headers, on whatever the service answers."""

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
        asked = current_origin.set(_origin(scope, request_id))
        status = 0

        async def dressed_send(message: Message) -> None:
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
            await self.app(scope, receive, dressed_send)
        except ClientDisconnect:
            status = 499  # as nginx logs it: nobody is left to answer
        finally:
            current_origin.reset(asked)
            took = time.perf_counter() - began
            # Where reads come by the thousand, a line for each would cost more than the answer.
            if self.log_reads or status >= 400 or took > SLOW or scope["method"] not in READS:
                method, route = scope["method"], route_of(scope)
                log.info("request", method=method, route=route, status=status, ms=round(took * 1000, 1))


def _origin(scope: Scope, request_id: str) -> ActorContext:
    peer = scope.get("client")
    clock = services_of(scope).clock
    return ActorContext(Actor.ANONYMOUS, request_id=request_id, peer=peer[0] if peer else None, clock=clock)


def route_of(scope: Scope) -> str:
    # The template, never the path: codes and addresses stand in paths and queries, and logs are kept.
    return getattr(scope.get("route"), "path", "-")
