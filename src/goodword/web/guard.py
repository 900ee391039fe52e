"""The limits on what a request may be and cost, and a last net under every fault."""

import asyncio
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
from goodword.errors import (
    AppError,
    BadRequest,
    BodyTooLarge,
    InternalError,
    Unavailable,
    UnsupportedMediaType,
)
from goodword.web.problems import ErrorResponder, answer
from goodword.web.request_context import route_of

MAX_FIELDS = 64
MAX_HEAD = 16 * 1024
MAX_TARGET = 4 * 1024
MAX_BODY = 64 * 1024
BODY_SECONDS = 8.0
"""A body of the largest size takes 8 KiB a second to arrive in time."""
DEADLINE = 25.0
"""Seconds for one request: longer than all its waits together (for the body 8, for a hash behind a full queue 6,
for a provider 2.5, for a connection and for a lock 5 each), shorter than 30, when PostgreSQL ends an idle
transaction by itself and most proxies give up."""
MAX_CONCURRENT = 1000
"""Requests at once in a process: whoever comes then would wait for a database connection until the deadline."""
DRAIN_SECONDS = 1.0
"""Seconds, and with `PARTING_BYTES` how much, is still read from a client that sends too much: closed upon while
it sends, it would never see the answer."""
DRAIN_BYTES = 1024 * 1024

ONCE = frozenset({b"host", b"authorization", b"content-type", b"content-encoding", b"content-length"})
ANY_HOST = frozenset({"/livez", "/readyz"})
"""Asked by address, from within; and answered however much there is to do."""
EVERY_HOST = "*"

log = structlog.get_logger("goodword.request")


class HeadTooLarge(AppError):
    status, title = 431, "Request Header Fields Too Large"
    code, detail = "headers_too_large", "A request may have 64 header fields, of 16 KiB together."


class UriTooLong(AppError):
    status, title = 414, "URI Too Long"
    code, detail = "uri_too_long", "Path and query may have 4 KiB together."


class HostRefused(BadRequest):
    code, detail = "host_not_served", "There is no service under this host name; ALLOWED_HOSTS lists those."


class HeaderRepeated(BadRequest):
    """A proxy and we might each believe another one."""

    code, detail = "header_repeated", "A header field that can have one value was sent twice."


class BodyTooSlow(AppError):
    status, title = 408, "Request Timeout"
    code, detail = "request_timeout", "The body did not arrive in time."


class TookTooLong(Unavailable):
    code, detail = "took_too_long", "This took too long and was given up. Try again."


class Overloaded(Unavailable):
    code, detail = "overloaded", "Too many requests at this moment. Try again shortly."


class RequestLimits(TypedDict, total=False):
    """Limits of `Guard` that are given; the others have their defaults."""

    body_seconds: float
    deadline: float
    room: int


class RequestGuard:
    """Stands before the whole service: what it refuses costs next to nothing.

    `respond` gives an error the form that fits who asks. HEAD is GET without the body.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        respond: ErrorResponder,
        hosts: frozenset[bytes],
        body_seconds: float = BODY_SECONDS,
        deadline: float = DEADLINE,
        room: int = MAX_CONCURRENT,
    ) -> None:
        self.app = app
        self.respond = respond
        self.hosts = hosts
        self.body_seconds = body_seconds
        self.deadline = deadline
        self.room = room
        self.inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _GuardedRequest(scope, receive, send, self.body_seconds)
        refused = self._refuses(scope) or request.refused
        if refused:
            await self._answer(request, refused)
            return
        self.inside += 1
        request.timer = asyncio.get_running_loop().call_later(self.deadline, self._give_up, request)
        try:
            await self.app(request.scope, request.receive, request.send)
        except ClientDisconnect:
            if request.timeout_reply is None:
                raise
        except asyncio.CancelledError:
            if not request.abandoned:
                raise
            raise ClientDisconnect from None
        except Exception as error:  # noqa: BLE001  it is logged in `_fault`
            await self._fault(request, error)
        finally:
            request.timer.cancel()
            self.inside -= 1
            if "route" in request.scope:
                scope["route"] = request.scope["route"]
        if request.timeout_reply is not None:
            await request.timeout_reply

    def _give_up(self, request: "_GuardedRequest") -> None:
        """Answer in place of the application, which is not cancelled: that would leave connections behind.

        All that it waits for has an end of its own, and `db.get_session` commits nothing that was given up.
        """
        if request.moved:  # a long answer to a slow reader: each piece of it has the whole time
            request.moved = False
            request.timer = asyncio.get_running_loop().call_later(self.deadline, self._give_up, request)
            return
        log.warning("request given up", route=route_of(request.scope))
        if request.answered:
            request.abandoned = True  # nobody fetches the answer; its transaction is long over
            request.task.cancel()
        else:
            request.scope["state"][TIMED_OUT] = True
            request.given_up = True
            request.timeout_reply = asyncio.create_task(self._answer(request, TookTooLong()))

    def _refuses(self, scope: Scope) -> AppError | None:
        headers = scope["headers"]
        if len(headers) > MAX_FIELDS:
            return HeadTooLarge()
        size, found = 0, {}
        for name, value in headers:
            size += len(name) + len(value)
            if name in ONCE:
                if name in found:
                    return UnsupportedMediaType() if name.startswith(b"content-t") else HeaderRepeated()
                found[name] = value
        if size > MAX_HEAD:
            return HeadTooLarge()
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_TARGET:
            return UriTooLong()
        if scope["path"] in ANY_HOST:
            return None
        if not self._serves(found.get(b"host", b"")):
            return HostRefused()
        if self.inside >= self.room:
            return Overloaded()
        if found.get(b"content-encoding", b"identity").lower() != b"identity":
            return UnsupportedMediaType()
        return None

    def _serves(self, host: bytes) -> bool:
        if host in self.hosts:
            return True
        name, colon, port = host.lower().rpartition(b":")
        if not colon or name.endswith(b":") or (port and not port.isdigit()):
            name = host.lower()
        return name in self.hosts or (EVERY_HOST.encode() in self.hosts and bool(name))

    async def _answer(self, request: "_GuardedRequest", error: AppError) -> None:
        asked = Request(request.scope)
        try:
            response = self.respond(asked, error)
        except Exception:  # the page that should tell of a fault may be the fault
            log.exception("no answer to an error", route=route_of(request.scope))
            response = answer(error, asked.state.request_id)
        await response(request.scope, request.receive, request.pass_on)

    async def _fault(self, request: "_GuardedRequest", error: Exception) -> None:
        if isinstance(error, DBAPIError):
            # Without its text, which would quote the row that failed.
            sqlstate = getattr(error.orig, "sqlstate", None)
            route, kind = route_of(request.scope), type(error).__name__
            log.error("request failed", route=route, error=kind, sqlstate=sqlstate)
        else:
            log.error("request failed", route=route_of(request.scope), exc_info=error)
        if request.given_up:
            return
        if request.answered:
            raise error  # the answer is under way: only the server can end it now
        await self._answer(request, InternalError())


class _GuardedRequest:
    """One request and its answer: the body is counted and timed, and HEAD gets none."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, body_seconds: float) -> None:
        self._receive, self._send = receive, send
        self._read = 0
        self.is_head = scope["method"] == "HEAD"
        # A copy: the server must still know what was asked for.
        self.scope = {**scope, "method": "GET"} if self.is_head else scope
        self.answered = self.given_up = self.abandoned = self.moved = False
        self.timer: asyncio.TimerHandle
        self.timeout_reply: asyncio.Task[None] | None = None
        self.task = cast("asyncio.Task[Any]", asyncio.current_task())
        self.refused: AppError | None = None
        length = _declared_length(scope)
        if length > MAX_BODY:
            self.refused = _cut_short(BodyTooLarge)
        self._more = length != 0
        self._ends = asyncio.get_running_loop().time() + body_seconds if self._more else 0.0

    async def receive(self) -> Message:
        if not self._more:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._ends):
                message = await self._receive()
        except TimeoutError:
            raise _cut_short(BodyTooSlow) from None
        self._more = message.get("more_body", False)
        self._read += len(message.get("body", b""))
        if self._read > MAX_BODY:
            self.refused = _cut_short(BodyTooLarge)
            raise self.refused
        return message

    async def send(self, message: Message) -> None:
        if not self.given_up:
            await self.pass_on(message)

    async def pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.answered = True
        elif message["type"] == "http.response.body":
            if self.is_head:
                message = {**message, "body": b""}
            if self.refused and self._more and not message.get("more_body"):
                self.refused.__traceback__ = None  # its frames keep the body that was read so far
                await self._send({**message, "more_body": True})
                await self._part()
                message = {"type": "http.response.body"}
        await self._send(message)
        self.moved = self.answered

    async def _part(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                more, read = True, 0
                while more and read < DRAIN_BYTES:
                    message = await self._receive()
                    more = message.get("more_body", False)
                    read += len(message.get("body", b""))


def _declared_length(scope: Scope) -> int:
    """Of the body; -1: nothing is said of it."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            # Longer numbers are too large anyway, and int() refuses the very longest.
            return int(value.lstrip(b"0")[:20] or b"0")
    return -1


def _cut_short(kind: type[AppError]) -> AppError:
    return kind(headers={"Connection": "close"})


def hosts_of(settings: Settings) -> frozenset[bytes]:
    """The names that the service answers to, as they stand in `Host`."""
    public = urlsplit(settings.public_url).hostname or ""
    others = settings.allowed_hosts or ("localhost", "127.0.0.1", "::1")
    return frozenset(_as_sent(name) for name in (public, *others))


def _as_sent(name: str) -> bytes:
    name = name.lower()
    if ":" in name:
        return f"[{name.strip('[]')}]".encode()
    return name.encode() if name.isascii() else idna.encode(name, uts46=True)
