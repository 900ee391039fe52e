"""uvicorn protocol with limits per connection, which an ASGI application cannot enforce."""

import asyncio
import socket
import struct
import sys
from contextlib import suppress
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from goodword.errors import AppError
from goodword.web.connection_limit import refuse_connection, response_of
from goodword.web.connection_output import ResponseTransport
from goodword.web.exchange import MAX_BODY
from goodword.web.guard import MAX_FIELDS
from goodword.web.request_context import STOPPING
from goodword.web.request_errors import (
    CodingUnknown,
    HeadTooLarge,
    HeadTooSlow,
    MalformedRequest,
    VersionUnknown,
)

HEAD_SECONDS = 8.0
"""For the request line and header, from their first byte or the start of the connection."""
REST_SECONDS = 5.0
"""For the rest of a body after its response is complete."""
CLOSE_SECONDS = 1.0
FIRST_SECONDS = 2.0
"""For the first request of a connection, when the process stops."""
WRITE_SECONDS = 10.0
"""For a client to read from a full write buffer."""
MAX_HEAD = 32 * 1024
"""Bytes of a message outside its body: header, trailers and chunk framing. `Guard` has a smaller limit for the
header of a complete request."""
CHUNK_COST, TRAILER_COST = 16, MAX_HEAD // MAX_FIELDS
"""Added to their bytes, because short ones cost as much time as long ones."""
SLICE = 4 * 1024
"""Bytes parsed between checks of limits. One read may return 256 KiB."""
MAX_PIPELINED = 8
MAX_PIPELINED_BYTES = 32 * 1024
"""Requests of a connection, and their bytes, that may wait for an earlier response."""
MAX_DISCARDED = 1024 * 1024
"""Bytes of a body that are read and discarded after a response, so that the client receives it."""
NO_LINGER = struct.pack("ii", 1, 0)
VERSIONS = frozenset({"1.0", "1.1"})
"""llhttp also parses 0.9 and 2.0."""


class HttpProtocol(HttpToolsProtocol):
    """The connection of a client."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # uvicorn's own limit would also refuse requests on connections that were accepted before.
        self._max_connections, self.limit_concurrency = self.limit_concurrency or sys.maxsize, None
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._overhead = 0  # bytes of this message that count towards `MAX_HEAD`
        self._pipelined_bytes = 0
        self._discarded = 0  # bytes of this message that count towards `MAX_DISCARDED`
        self._closing = False
        self._running: RequestResponseCycle | None = None
        self._output: ResponseTransport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._output = ResponseTransport(transport)
        if len(self.connections) > 2 * self._max_connections:
            transport.abort()  # a response would cost too much
        elif len(self.connections) > self._max_connections:
            self.app = refuse_connection
        self._start_timer(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stop_write_timer()
        self._unset_keepalive_if_required()  # uvicorn keeps this timer after a reset
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._in_head and self._timer is None and not self._closing:
            self._start_timer(HEAD_SECONDS)
        rest = memoryview(data)
        while rest and not self._closing:
            part, rest = rest[:SLICE], rest[SLICE:]
            self._overhead += len(part)
            if self.pipeline:
                self._pipelined_bytes += len(part)
            self._parse(part)
            too_large = self._overhead > MAX_HEAD or self._pipelined_bytes > MAX_PIPELINED_BYTES
            if too_large and not self._closing:
                self._refuse(HeadTooLarge())
        self._discard(len(rest))

    def _parse(self, data: bytes | memoryview) -> None:
        if self._closing or not data:
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._resume(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            cause = error.__context__  # an `AppError` was raised in a callback to stop the parser
            self._refuse(cause if isinstance(cause, AppError) else MalformedRequest())

    def _resume(self, rest: bytes | memoryview) -> None:
        """Parse a request without its `Upgrade` header, as RFC 9110 section 7.8 allows.

        llhttp ends a request with `Upgrade` after its header, and would parse its body as the next request.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":  # the bytes that follow are for a tunnel
            self.cycle.keep_alive = False
            self._closing = True
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
        self._discarded = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            self._overhead += TRAILER_COST
            return  # a trailer is not a header field (RFC 9110 section 6.5.1)
        if len(self.headers) == MAX_FIELDS:
            raise HeadTooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._is_upgrade():
            return  # see `_resume`
        self._check_framing()
        self._use_host_of_target()
        if len(self.pipeline) >= MAX_PIPELINED:
            raise HeadTooLarge
        super().on_headers_complete()
        if STOPPING in self.app_state:
            self.cycle.keep_alive = False
        self._in_head = False
        self._stop_timer()

    def shutdown(self) -> None:
        """Close the connection when it is idle, or after its next response if a request is or may be on its way."""
        if self._in_head and self._overhead:
            return
        if self.cycle is None:
            self._start_timer(FIRST_SECONDS)
        else:
            super().shutdown()

    def _check_framing(self) -> None:
        if self.parser.get_http_version() not in VERSIONS:
            raise VersionUnknown
        codings = [value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"]
        if codings not in ([], [b"chunked"]):
            raise CodingUnknown

    def _use_host_of_target(self) -> None:
        """Replace `Host` by the host of a target in absolute form (RFC 9112 §3.2.2)."""
        if self.url.startswith(b"/") or b"://" not in self.url:
            return
        authority, slash, rest = self.url.partition(b"://")[2].partition(b"/")
        self.url = slash + rest if slash else b"/"
        self.headers[:] = [(name, authority if name == b"host" else value) for name, value in self.headers]

    def on_chunk_header(self) -> None:
        self._overhead += CHUNK_COST

    def on_body(self, body: bytes) -> None:
        self._overhead -= len(body)
        if self.cycle.response_complete:
            self._discard(len(body))
        else:
            # `Exchange` refuses a body over `MAX_BODY`, so the rest of it is not kept.
            super().on_body(body[: MAX_BODY + 1 - len(self.cycle.body)])

    def on_message_complete(self) -> None:
        if self._is_upgrade():
            return
        super().on_message_complete()
        self._in_head, self._overhead = True, 0
        self._stop_timer()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        self._output.begin()
        cycle.transport = self._output
        super()._start_asgi_task(cycle, app)

    def _discard(self, count: int) -> None:
        """Count discarded bytes, and stop reading at the limit, which is lower after an invalid request."""
        self._discarded += count
        limit = MAX_HEAD if self._closing else MAX_DISCARDED
        if self._discarded > limit and not self.transport.is_closing():
            self.flow.pause_reading()

    def on_response_complete(self) -> None:
        self._output.flush()
        super().on_response_complete()
        if not self.pipeline:
            self._pipelined_bytes = 0
        if self.transport.is_closing():
            self._start_timer(WRITE_SECONDS)
        elif not self._in_head:
            self._start_timer(REST_SECONDS)

    def timeout_keep_alive_handler(self) -> None:
        self._reset()  # close() would wait for a client that does not read

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(WRITE_SECONDS, self._reset)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_write_timer()

    def _reset(self) -> None:
        """Reset the connection. The kernel would keep unsent bytes for minutes after a plain close."""
        if self._running is not None:
            self._running.disconnected = True  # the application may still write
        with suppress(OSError, ValueError):  # the socket may be closed
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.transport.abort()

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._time_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self) -> None:
        self._timer = None
        if self._closing or not self._in_head or not self._overhead or self.transport.is_closing():
            self._reset()
        elif self.cycle is not None and not self.cycle.response_complete:
            self._start_timer(HEAD_SECONDS)  # the response to an earlier request is not complete
        else:
            self._refuse(HeadTooSlow())

    def _refuse(self, error: AppError) -> None:
        """Send an error unless another response is incomplete, and close the connection."""
        self._closing = True
        if self.pipeline and not self._in_head:  # its header was valid, and it waits in the pipeline
            self.pipeline.popleft()
            self._close_after_last()
            return
        if self._in_head:
            if self.cycle is not None and not self.cycle.response_complete:
                self._close_after_last()
                return
        elif self.cycle.response_complete:  # a request has one response, even if its body is invalid
            self._close_gracefully()
            return
        elif self.cycle.response_started:
            self._close_after_last()
            return
        else:
            self.cycle.disconnected = True  # the body is invalid: stop the application
            self.cycle.message_event.set()
        headers, body = response_of(error)
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(
            b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (error.status, error.title.encode(), lines, body)
        )
        self._close_gracefully()

    def _close_gracefully(self) -> None:
        """End the response, and close after a delay. A client that still sends would lose the response."""
        self.transport.write_eof()
        self._start_timer(CLOSE_SECONDS)

    def _close_after_last(self) -> None:
        """Close the connection after the responses to earlier requests, without one to this request."""
        last = self.pipeline[0][0] if self.pipeline else self._running
        assert last is not None, "no earlier request"
        last.keep_alive = False
