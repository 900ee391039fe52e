"""How connections are served: uvicorn, with the limits that no application can set, because it sees only requests."""

import asyncio
import json
import sys
from http import HTTPStatus
from typing import Any

from starlette.types import Receive, Scope, Send
from uuid_utils import uuid7
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from goodword.http import HEADERS

HEAD_SECONDS = 8.0
"""For a request line and header fields, from their first byte, or from the beginning of the connection."""
REST_SECONDS = 5.0
"""For the rest of a body that was answered already."""
PARTING_SECONDS = 1.0
MAX_HEAD = 32 * 1024
"""Bytes kept of a head that does not end. What is complete is for `Guard` to judge, which has a smaller limit."""
MOST_CONNECTIONS = 4096
FILES_FOR_OTHERS = 128


class Connection(HttpToolsProtocol):
    """One connection of a client."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # uvicorn's own limit would refuse those who are inside, too, as long as there are too many.
        self._most, self.limit_concurrency = self.limit_concurrency or sys.maxsize, None
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._head = 0
        self._parting = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > 2 * self._most:
            transport.abort()  # not even room for the regrets
        elif len(self.connections) > self._most:
            self.app = _full
        self._start(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._parting:
            return
        self._head += len(data)
        if self._in_head and self._timer is None:
            self._start(HEAD_SECONDS)
        super().data_received(data)
        if self._in_head and self._head > MAX_HEAD and not self._parting:
            self._refuse(431, "headers_too_large", "A request may have 64 header fields, of 16 KiB together.")

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head, self._head = True, 0
        self._stop()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._in_head:
            self._start(REST_SECONDS)

    def send_400_response(self, _msg: str) -> None:
        self._refuse(400, "malformed_request", "This is no HTTP request.")

    def timeout_keep_alive_handler(self) -> None:
        self.transport.abort()  # a mere close would wait for a client that does not read

    def _unsupported_upgrade_warning(self) -> None:
        """Whoever asks for another protocol gets this one (RFC 9110 §7.8). It is nothing to warn of."""

    def _start(self, seconds: float) -> None:
        self._stop()
        self._timer = self.loop.call_later(seconds, self._too_late)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self._timer = None
        if self._parting or not self._in_head or not self._head:
            self.transport.abort()
        elif self.cycle is not None and not self.cycle.response_complete:
            self._start(HEAD_SECONDS)  # the answer before this one is still under way
        else:
            self._refuse(408, "request_timeout", "The header fields did not arrive in time.")

    def _refuse(self, status: int, code: str, detail: str) -> None:
        """Answer in place of the application, and close; never in between of another answer."""
        self._parting = True
        if self.cycle is not None and not self.cycle.response_complete:
            if self._in_head:
                self.cycle.keep_alive = False  # what came before is answered, and this is not
                return
            if self.cycle.response_started or self.pipeline:
                self.transport.close()
                return
            self.cycle.disconnected = True  # its body is no body: the application need not go on
            self.cycle.message_event.set()
        headers, body = _problem(status, code, detail)
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        reason = HTTPStatus(status).phrase.encode()
        self.transport.write(b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (status, reason, lines, body))
        # Closed on a client that is still sending, the answer would be lost.
        self.transport.write_eof()
        self._start(PARTING_SECONDS)


def _problem(status: int, code: str, detail: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    request_id = str(uuid7())
    document = {
        "type": f"urn:goodword:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    body = json.dumps(document).encode()
    headers = {
        "content-type": "application/problem+json",
        "content-length": str(len(body)),
        "connection": "close",
        "x-request-id": request_id,
        **HEADERS,
    }
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
