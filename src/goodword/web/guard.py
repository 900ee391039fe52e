"""Limits on the size and duration of a request, and the last handler of exceptions."""

import asyncio
import re
import time
from contextlib import suppress
from typing import Any, TypedDict, cast
from urllib.parse import urlsplit

import idna
import structlog
from fastapi import Request
from sqlalchemy.exc import DBAPIError
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from goodword.config.settings import Settings
from goodword.db.database import TIMED_OUT
from goodword.errors import AppError, BodyTooLarge, DatabaseUnavailable, InternalError, UnsupportedMediaType
from goodword.rate_limits.middleware import HEALTH_PATHS
from goodword.web.problems import ErrorResponder, answer
from goodword.web.request_context import route_of
from goodword.web.request_errors import (
    BodyTooSlow,
    HeaderRepeated,
    HeadTooLarge,
    HostRefused,
    Overloaded,
    TookTooLong,
    UriTooLong,
)

MAX_FIELDS = 64
MAX_HEAD = 16 * 1024
MAX_TARGET = 4 * 1024
MAX_BODY = 64 * 1024
BODY_SECONDS = 8.0
"""The largest body arrives in time at 8 KiB a second."""
DEADLINE = 25.0
"""Seconds for one request. Its waits add up to less: 8 for the body, 6 for a password hash, 2.5 for a provider,
5 for a connection and 5 for a lock. PostgreSQL ends an idle transaction after 30, and most proxies time out."""
MAX_CONCURRENT = 1000
"""Concurrent requests of a process. More would wait for a database connection until the deadline."""
DRAIN_SECONDS = 1.0
DRAIN_BYTES = 1024 * 1024
"""Limits of what is read after an early response. A client may lose a response if the server closes while it sends."""

SINGLE_HEADERS = frozenset(b"host authorization content-type content-encoding content-length".split())
ENCODINGS = {"Accept-Encoding": "identity"}
"""With 415: the refused coding is that of the content, not its type (RFC 9110 §12.5.3)."""
ANY_HOST = b"*"
DOT = ord(".")
HOST = re.compile(rb"[a-z0-9.:\[\]-]{1,253}")
"""A refused host that is logged. Others could hold anything."""
HOST_WARNING_SECONDS = 10.0
"""Interval of the warnings about refused hosts. Scanners send many."""

log = structlog.get_logger("goodword.request")


class RequestLimits(TypedDict, total=False):
    """Limits of `RequestGuard` that override its defaults."""

    body_seconds: float
    deadline: float
    max_concurrent: int


class RequestGuard:
    """Refuses requests over a limit before any other work, and serves HEAD as GET without a body."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        respond: ErrorResponder,
        hosts: frozenset[bytes],
        waiting: asyncio.Event,
        body_seconds: float = BODY_SECONDS,
        deadline: float = DEADLINE,
        max_concurrent: int = MAX_CONCURRENT,
    ) -> None:
        self.app, self.respond, self.hosts = app, respond, hosts
        self.body_seconds, self.deadline, self.max_concurrent = body_seconds, deadline, max_concurrent
        self.waiting, self.active, self._next_host_warning = waiting, 0, 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _GuardedRequest(scope, receive, send, self.body_seconds)
        refusal = self._check(scope) or request.refusal
        if refusal:
            await self._respond(request, refusal)
            return
        self.active += 1
        request.timer = asyncio.get_running_loop().call_later(self.deadline, self._time_out, request)
        try:
            await self.app(request.scope, request.receive, request.send)
        except ClientDisconnect:
            if request.timeout_reply is None:
                raise
        except asyncio.CancelledError:
            if not request.aborted:
                raise
            raise ClientDisconnect from None
        except Exception as error:  # noqa: BLE001  logged in `_handle_exception`
            await self._handle_exception(request, error)
        finally:
            request.timer.cancel()
            self.active -= 1
            if "route" in request.scope:
                scope["route"] = request.scope["route"]
        if request.timeout_reply is not None:
            await request.timeout_reply

    def _time_out(self, request: "_GuardedRequest") -> None:
        """Send a timeout reply. The application is not cancelled, because that would leak database connections.

        Each of its waits has a timeout, and `Database.transaction` rolls back because of `TIMED_OUT`.
        """
        if request.progressed:  # a long response to a slow client: the deadline applies to each part
            request.progressed = False
            request.timer = asyncio.get_running_loop().call_later(self.deadline, self._time_out, request)
            return
        log.warning("request given up", route=route_of(request.scope))
        if request.response_started:
            request.aborted = True  # the client does not read; the transaction has ended
            request.task.cancel()
        else:
            request.scope["state"][TIMED_OUT] = True
            request.timed_out = True
            request.timeout_reply = asyncio.create_task(self._respond(request, TookTooLong()))

    def _check(self, scope: Scope) -> AppError | None:
        headers = scope["headers"]
        if len(headers) > MAX_FIELDS:
            return HeadTooLarge()
        size, single = 0, {}
        for name, value in headers:
            size += len(name) + len(value)
            if name in SINGLE_HEADERS:
                if name in single:
                    return UnsupportedMediaType() if name == b"content-type" else HeaderRepeated()
                single[name] = value
        if size > MAX_HEAD:
            return HeadTooLarge()
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_TARGET:
            return UriTooLong()
        if scope["path"] in HEALTH_PATHS:
            return None
        if not self._serves(single.get(b"host", b"")):
            return HostRefused()
        if self.waiting.is_set():
            return DatabaseUnavailable()
        if self.active >= self.max_concurrent:
            return Overloaded()
        if single.get(b"content-encoding", b"identity").lower() != b"identity":
            return UnsupportedMediaType(headers=ENCODINGS)
        return None

    def _serves(self, host: bytes) -> bool:
        if host in self.hosts and not host.startswith(b"*"):
            return True
        name, colon, port = host.lower().rpartition(b":")
        if not colon or name.endswith(b":") or (port and not port.isdigit()):
            name = host.lower()
        if name.startswith(b"*"):
            return False
        wildcards = (b"*" + name[index:] for index, byte in enumerate(name) if index and byte == DOT)
        if (
            name in self.hosts
            or (name and ANY_HOST in self.hosts)
            or any(one in self.hosts for one in wildcards)
        ):
            return True
        now = time.monotonic()
        if now >= self._next_host_warning:
            self._next_host_warning = now + HOST_WARNING_SECONDS
            log.warning(
                "host refused: see ALLOWED_HOSTS", host=name.decode() if HOST.fullmatch(name) else None
            )
        return False

    async def _respond(self, request: "_GuardedRequest", error: AppError) -> None:
        http_request = Request(request.scope)
        try:
            response = self.respond(http_request, error)
        except Exception:  # the error page itself may be broken
            log.exception("no answer to an error", route=route_of(request.scope))
            response = answer(error, http_request.state.request_id)
        await response(request.scope, request.receive, request.forward)

    async def _handle_exception(self, request: "_GuardedRequest", error: Exception) -> None:
        if isinstance(error, DBAPIError):
            # The text of the error may quote a row, so it is not logged.
            sqlstate = getattr(error.orig, "sqlstate", None)
            route, kind = route_of(request.scope), type(error).__name__
            log.error("request failed", route=route, error=kind, sqlstate=sqlstate)
        else:
            log.error("request failed", route=route_of(request.scope), exc_info=error)
        if request.timed_out:
            return
        if request.response_started:
            raise error  # uvicorn closes the connection, which ends the incomplete response
        await self._respond(request, InternalError())


class _GuardedRequest:
    """A request with limits on the size and duration of its body, and no response body for HEAD."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, body_seconds: float) -> None:
        self._receive, self._send, self._body_size = receive, send, 0
        self.is_head = scope["method"] == "HEAD"
        # A copy: uvicorn and the log need the original method.
        self.scope = {**scope, "method": "GET"} if self.is_head else scope
        self.response_started = self.timed_out = self.aborted = self.progressed = False
        self.timer: asyncio.TimerHandle
        self.timeout_reply: asyncio.Task[None] | None = None
        self.task = cast("asyncio.Task[Any]", asyncio.current_task())
        self.refusal: AppError | None = None
        length = _declared_length(scope)
        if length > MAX_BODY:
            self.refusal = _closing(BodyTooLarge)
        self._more_body = length != 0
        self._body_deadline = asyncio.get_running_loop().time() + body_seconds if self._more_body else 0.0

    async def receive(self) -> Message:
        if not self._more_body:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._body_deadline):
                message = await self._receive()
        except TimeoutError:
            raise _closing(BodyTooSlow) from None
        self._more_body = message.get("more_body", False)
        self._body_size += len(message.get("body", b""))
        if self._body_size > MAX_BODY:
            self.refusal = _closing(BodyTooLarge)
            raise self.refusal
        return message

    async def send(self, message: Message) -> None:
        if not self.timed_out:
            await self.forward(message)

    async def forward(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.response_started = True
        elif message["type"] == "http.response.body":
            if self.is_head:
                message = {**message, "body": b""}
            if self.refusal and self._more_body and not message.get("more_body"):
                self.refusal.__traceback__ = None  # its frames refer to the part of the body already read
                await self._send({**message, "more_body": True})
                await self._drain()
                message = {"type": "http.response.body"}
        await self._send(message)
        self.progressed = self.response_started

    async def _drain(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                more, read = True, 0
                while more and read < DRAIN_BYTES:
                    message = await self._receive()
                    more = message.get("more_body", False)
                    read += len(message.get("body", b""))


def _declared_length(scope: Scope) -> int:
    """Return the content length, or -1 if the request declares none."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            # 20 digits suffice to exceed the limit, and int() rejects very long numbers.
            return int(value.lstrip(b"0")[:20] or b"0")
    return -1


def _closing(error: type[AppError]) -> AppError:
    return error(headers={"Connection": "close"})


def hosts_of(settings: Settings) -> frozenset[bytes]:
    """Return the host names that the service accepts, in the form of the `Host` header."""
    public = urlsplit(settings.public_url).hostname or ""
    others = settings.allowed_hosts or ("localhost", "127.0.0.1", "::1")
    return frozenset(_host_value(name) for name in (public, *others))


def _host_value(name: str) -> bytes:
    name = name.lower()
    if ":" in name:
        return f"[{name.strip('[]')}]".encode()
    name, wildcard = name.removeprefix("*."), b"*." if name.startswith("*.") else b""
    return wildcard + (name.encode() if name.isascii() else idna.encode(name, uts46=True))
