"""A connection to a receiver of webhooks: one POST request after the other, with h11.

A pool of `httpx2` costs ten times the CPU time: it polls the socket of each of its connections at each request.
Imported only to send a request.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from ssl import SSLContext, SSLError
from typing import NamedTuple, cast
from urllib.parse import SplitResult

import h11

Headers = Sequence[tuple[str, str]]
ROOM_FOR_HEADERS = 16 * 1024


class Answer(NamedTuple):
    status: int
    retry_after: str | None


class Connection(asyncio.Protocol):
    """Answers are read to `max_bytes`. A connection that failed, or whose answer was not read to its end, is closed."""

    def __init__(self, *, max_bytes: int) -> None:
        self._limit, self._size = max_bytes, 0
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=ROOM_FOR_HEADERS)
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._answer: Answer | None = None
        self._ended = asyncio.Event()

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def has_received(self) -> bool:
        """Return whether a part of the last answer arrived."""
        return self._size > 0

    async def post(self, url: SplitResult, body: bytes, headers: Headers) -> Answer:
        """Send a request and return the answer. Raises `h11.ProtocolError` and `OSError`."""
        assert self._transport is not None
        if self._parser.our_state is h11.DONE:
            self._parser.start_next_cycle()
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        given = [("host", url.netloc), ("content-length", str(len(body))), *headers]
        events = h11.Request(method="POST", target=target, headers=given), h11.Data(body), h11.EndOfMessage()
        self._waiting, self._answer, self._size = asyncio.get_running_loop().create_future(), None, 0
        try:
            self._transport.write(b"".join(self._parser.send(event) or b"" for event in events))
            answer = await self._waiting
        except BaseException:  # also when the time is up
            self.close()
            raise
        if {self._parser.our_state, self._parser.their_state} != {h11.DONE} or self._parser.trailing_data[0]:
            self.close()
        return answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def wait_closed(self) -> None:
        await self._ended.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # that of uvloop is not an instance of it

    def data_received(self, data: bytes) -> None:
        if self._waiting is None or self._waiting.done():
            self.close()  # a response without a request
            return
        self._size += len(data)
        self._parser.receive_data(data)
        self._read()

    def eof_received(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._parser.receive_data(b"")
            self._read()

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error or ConnectionResetError())
        self._ended.set()

    def _read(self) -> None:
        """Read what has arrived of the answer, and end the wait for it."""
        assert self._waiting is not None
        try:
            while (event := self._parser.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                if isinstance(event, h11.Response):
                    headers = dict(event.headers)
                    retry_after = headers.get(b"retry-after")
                    self._answer = Answer(
                        event.status_code, retry_after.decode("latin-1") if retry_after else None
                    )
                elif isinstance(event, h11.EndOfMessage) and self._answer is not None:
                    self._waiting.set_result(self._answer)
                    return
                elif isinstance(event, h11.ConnectionClosed):
                    raise h11.RemoteProtocolError("closed without an answer")
            if self._size > self._limit + ROOM_FOR_HEADERS * (self._answer is None):
                if self._answer is None:
                    raise h11.RemoteProtocolError("no answer in many bytes")
                self._waiting.set_result(self._answer)
        except h11.ProtocolError as error:
            self._waiting.set_exception(error)


async def connect(
    addresses: Sequence[str], url: SplitResult, port: int, *, tls: SSLContext | None, max_bytes: int
) -> Connection:
    """Connect to one of the addresses, and nowhere else. Raises `OSError`."""
    server_hostname = url.hostname if tls else None
    failure: OSError = ConnectionError("the name has no address")
    make = partial(Connection, max_bytes=max_bytes)
    loop = asyncio.get_running_loop()
    for address in addresses:
        try:
            _, connection = await loop.create_connection(
                make, address, port, ssl=tls, server_hostname=server_hostname
            )
        except SSLError:
            raise
        except OSError as error:
            failure = error
        else:
            return connection
    raise failure
