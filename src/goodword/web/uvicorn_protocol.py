"""How connections are served: uvicorn, with the limits that no application can set, because it sees only requests."""

import asyncio
import json
import socket
import struct
import sys
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import httptools
from starlette.types import Receive, Scope, Send
from uuid_utils import uuid7
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from goodword.web.guard import MAX_BODY, MAX_FIELDS
from goodword.web.request_context import HEADERS

HEAD_SECONDS = 8.0
"""For a request line and header fields, from their first byte, or from the beginning of the connection."""
REST_SECONDS = 5.0
"""For the rest of a body that was answered already."""
PARTING_SECONDS = 1.0
WRITE_SECONDS = 10.0
"""For a client to take what waits to be written, in which it makes no headway."""
MAX_HEAD = 32 * 1024
"""Bytes of a message that are not its body: head, trailers, and what is around chunks. What is complete is for `Guard`
to judge, which has a smaller limit."""
CHUNK_COST, TRAILER_COST = 16, MAX_HEAD // MAX_FIELDS
"""Counted besides their bytes: the shortest take as much time as long ones."""
PIECE = 4 * 1024
"""Bytes that are parsed before limits are checked. A packet may hold 256 KiB."""
MAX_PIPELINED = 8
MAX_AHEAD = 32 * 1024
"""Requests, and their bytes, that wait on a connection for an answer to another one."""
MAX_IGNORED = 1024 * 1024
"""Bytes of a body that are read so that a client that still sends sees the answer."""
TOO_LARGE = "A request may have 64 header fields, of 16 KiB together."
NO_LINGER = struct.pack("ii", 1, 0)
MOST_CONNECTIONS = 4096
FILES_FOR_OTHERS = 128


class _TooLarge(Exception):
    """A head with too many fields, or one too many requests. The parser stops and passes it on."""


class HttpProtocol(HttpToolsProtocol):
    """One connection of a client."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # uvicorn's own limit would refuse those who are inside, too, as long as there are too many.
        self._most, self.limit_concurrency = self.limit_concurrency or sys.maxsize, None
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._overhead = 0
        """Bytes of this message that are not its body: head, trailers and the framing of chunks."""
        self._ahead = 0
        """Bytes of requests that wait for the answer to another one."""
        self._ignored = 0
        """Bytes of this message that were read only to be dropped."""
        self._parting = False
        self._running: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > 2 * self._most:
            transport.abort()  # not even room for the regrets
        elif len(self.connections) > self._most:
            self.app = _full
        self._start(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self._stop_writing()
        self._unset_keepalive_if_required()  # uvicorn leaves it after a reset
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._in_head and self._timer is None and not self._parting:
            self._start(HEAD_SECONDS)
        rest = memoryview(data)
        while rest and not self._parting:
            piece, rest = rest[:PIECE], rest[PIECE:]
            self._overhead += len(piece)
            if self.pipeline:
                self._ahead += len(piece)
            self._parse(piece)
            if not self._parting and (self._overhead > MAX_HEAD or self._ahead > MAX_AHEAD):
                self._refuse_head()
        self._ignore(len(rest))

    def _parse(self, data: bytes | memoryview) -> None:
        if self._parting or not data:
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stopped:
            self._resume(data[stopped.args[0] :])
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, _TooLarge):
                self._refuse_head()
            else:
                self._refuse(400, "malformed_request", "This is no HTTP request.")

    def _resume(self, rest: bytes | memoryview) -> None:
        """Parse a request that asks for another protocol as one that does not, as RFC 9110 section 7.8 allows.

        llhttp takes such a request to end with its head. Its body would be the next request.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":  # what follows is for the other end of a tunnel
            self.cycle.keep_alive = False
            self._parting = True
            return
        lines = [b"%s %s HTTP/%s\r\n" % (method, self.url, self.parser.get_http_version().encode())]
        lines += [b"%s: %s\r\n" % field for field in self.headers if field[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._parse(b"".join(lines) + b"\r\n")
        self._parse(rest)

    def _is_upgrade(self) -> bool:
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._ignored = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            self._overhead += TRAILER_COST
            return  # a trailer: never a header field (RFC 9110 section 6.5.1)
        if len(self.headers) == MAX_FIELDS:
            raise _TooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._is_upgrade():
            return  # see `_resume`
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _TooLarge
        super().on_headers_complete()
        self._in_head = False
        self._stop()

    def on_chunk_header(self) -> None:
        self._overhead += CHUNK_COST

    def on_body(self, body: bytes) -> None:
        self._overhead -= len(body)
        if self.cycle.response_complete:
            self._ignore(len(body))
        else:
            # `Guard` refuses what is longer than `MAX_BODY`, so its rest need not be kept.
            super().on_body(body[: MAX_BODY + 1 - len(self.cycle.body)])

    def on_message_complete(self) -> None:
        if self._is_upgrade():
            return
        super().on_message_complete()
        self._in_head, self._overhead = True, 0
        self._stop()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _ignore(self, count: int) -> None:
        """Count bytes that are read only so that the client sees an answer. Stop reading at the limit."""
        self._ignored += count
        if self._ignored > (MAX_HEAD if self._parting else MAX_IGNORED) and not self.transport.is_closing():
            self.flow.pause_reading()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.pipeline:
            self._ahead = 0
        if self.transport.is_closing():
            self._start(WRITE_SECONDS)
        elif not self._in_head:
            self._start(REST_SECONDS)

    def timeout_keep_alive_handler(self) -> None:
        self._reset()  # a mere close would wait for a client that does not read

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(WRITE_SECONDS, self._reset)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_writing()

    def _reset(self) -> None:
        """End the connection, and free what was not sent: the kernel would keep it for minutes."""
        if self._running is not None:
            self._running.disconnected = True  # the application may be about to write
        with suppress(OSError, ValueError):  # it may be closed already
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.transport.abort()

    def _stop_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _start(self, seconds: float) -> None:
        self._stop()
        self._timer = self.loop.call_later(seconds, self._too_late)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self._timer = None
        if self._parting or not self._in_head or not self._overhead or self.transport.is_closing():
            self._reset()
        elif self.cycle is not None and not self.cycle.response_complete:
            self._start(HEAD_SECONDS)  # the answer before this one is still under way
        else:
            self._refuse(408, "request_timeout", "The header fields did not arrive in time.")

    def _refuse_head(self) -> None:
        self._refuse(431, "headers_too_large", TOO_LARGE)

    def _refuse(self, status: int, code: str, detail: str) -> None:
        """Answer in place of the application, and close; never in between of another answer."""
        self._parting = True
        if self.pipeline and not self._in_head:  # its head was good, and it waits for others
            self.pipeline.popleft()
            self._close_after_last()
            return
        if self._in_head:
            if self.cycle is not None and not self.cycle.response_complete:
                self._close_after_last()
                return
        elif self.cycle.response_complete:  # one answer to a request, whatever its body turns out to be
            self._part()
            return
        elif self.cycle.response_started:
            self._close_after_last()
            return
        else:
            self.cycle.disconnected = True  # its body is no body: the application need not go on
            self.cycle.message_event.set()
        headers, body = _problem(status, code, detail)
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        reason = HTTPStatus(status).phrase.encode()
        self.transport.write(b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (status, reason, lines, body))
        self._part()

    def _part(self) -> None:
        """Close, after some time for the client to see the answer: it is lost on one that is still sending."""
        self.transport.write_eof()
        self._start(PARTING_SECONDS)

    def _close_after_last(self) -> None:
        """What came before is answered, and this is not."""
        last = self.pipeline[0][0] if self.pipeline else self._running
        assert last is not None, "it follows another request"
        last.keep_alive = False


def _problem(status: int, code: str, detail: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    request_id = str(uuid7())
    title, kind = HTTPStatus(status).phrase, f"urn:goodword:problem:{code}"
    document = {"type": kind, "title": title, "status": status, "detail": detail, "code": code}
    document["request_id"] = request_id
    body = json.dumps(document).encode()
    headers = {"content-type": "application/problem+json", "content-length": str(len(body))}
    headers |= {"connection": "close", "x-request-id": request_id, **HEADERS}
    return [(name.encode(), value.encode()) for name, value in headers.items()], body


async def _full(_scope: Scope, _receive: Receive, send: Send) -> None:
    """The answer to connections beyond the limit: those inside keep theirs."""
    headers, body = _problem(503, "overloaded", "Too many connections at this moment. Try again shortly.")
    headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def room_for_connections() -> int:
    """How many a process may have: twice as many must find a file descriptor, and others need some, too."""
    if sys.platform == "win32":
        return 256
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MOST_CONNECTIONS + FILES_FOR_OTHERS
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(16, min(MOST_CONNECTIONS, (soft - FILES_FOR_OTHERS) // 2))
