"""POST requests to addresses that others have chosen: no private network is reached, and no redirect is followed."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, urlsplit

from goodword.ip_address import Address, read_address
from goodword.outbound.tls import tls_context
from goodword.telemetry import tracing

if TYPE_CHECKING:
    from goodword.outbound.guarded_connection import Answer, Connection

MAX_RESPONSE_BYTES = 16 * 1024
RESOLVING_THREADS = 16
"""Names whose servers do not answer must not delay others."""

IDLE_SECONDS = 3.0
"""How long a connection is kept. Shorter than receivers wait for the next request: Node.js closes it after five."""

Place = tuple[str, str, int]
"""The scheme, host and port of a connection."""
Resolve = Callable[[str, int], Sequence[str]]
"""Returns the IP addresses of a name. Raises `OSError`."""
IsAllowed = Callable[[Address], bool]


class Refused(Exception):
    """A name has an address that may not be reached."""


class Posted(NamedTuple):
    """The outcome of a request: the status and `Retry-After` of the answer, or why there is none."""

    status: int | None
    retry_after: str | None = None
    error: str | None = None
    """`timeout`, `address_refused`, `name_not_resolved`, `tls_failed`, `connection_failed` or `protocol_error`."""


def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name, as the system knows them."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class GuardedClient:
    """The client of a process. It keeps connections that were used a moment ago."""

    def __init__(self, is_allowed: IsAllowed, *, resolve: Resolve = resolve) -> None:
        self._is_allowed, self._resolve = is_allowed, resolve
        self._threads: ThreadPoolExecutor | None = None
        self._idle: dict[Place, dict[Connection, asyncio.TimerHandle]] = {}

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, budget: float) -> Posted:
        """Send a POST request within `budget` seconds. It raises nothing: each fault has its `error`."""
        from h11 import ProtocolError

        parts = urlsplit(url)
        attributes = {"http.request.method": "POST", "server.address": parts.hostname or ""}
        with tracing.step("POST", attributes) as span:
            try:
                async with asyncio.timeout(budget):
                    answer = await self._post(parts, body, headers)
            except TimeoutError:
                return Posted(None, error="timeout")
            except Refused:
                return Posted(None, error="address_refused")
            except ProtocolError:
                return Posted(None, error="protocol_error")
            except (OSError, UnicodeError) as error:
                return Posted(None, error=_classify(error))
            if span:
                span.set_attribute("http.response.status_code", answer.status)
        return Posted(answer.status, answer.retry_after)

    async def _post(self, url: SplitResult, body: bytes, headers: Mapping[str, str]) -> "Answer":
        from h11 import ProtocolError

        from goodword.outbound.guarded_connection import connect

        host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
        place = (url.scheme, host, port)
        if kept := self._take(place):
            try:
                return await self._exchange(place, kept, url, body, headers)
            except (OSError, ProtocolError):
                if kept.has_received:
                    raise
                # The receiver probably closed it because it was idle.
        addresses = await self.addresses(host, port)
        tls = tls_context() if url.scheme == "https" else None
        connection = await connect(addresses, url, port, tls=tls, max_bytes=MAX_RESPONSE_BYTES)
        return await self._exchange(place, connection, url, body, headers)

    async def _exchange(
        self,
        place: Place,
        connection: "Connection",
        url: SplitResult,
        body: bytes,
        headers: Mapping[str, str],
    ) -> "Answer":
        answer = await connection.post(url, body, (("accept-encoding", "identity"), *headers.items()))
        if connection.is_open:
            self._keep(place, connection)
        return answer

    def _take(self, place: Place) -> "Connection | None":
        """Return the open connection that was used last, if there is one."""
        idle = self._idle.get(place, {})
        while idle:
            connection, timer = idle.popitem()
            timer.cancel()
            if connection.is_open:
                return connection
        return None

    def _keep(self, place: Place, connection: "Connection") -> None:
        timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._drop, place, connection)
        self._idle.setdefault(place, {})[connection] = timer

    def _drop(self, place: Place, connection: "Connection") -> None:
        connection.close()
        del self._idle[place][connection]
        if not self._idle[place]:
            del self._idle[place]

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses to connect to. Raises `Refused` if one of them may not be reached."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(RESOLVING_THREADS, "resolve")
        found = await asyncio.get_running_loop().run_in_executor(self._threads, self._resolve, host, port)
        for text in found:
            address = read_address(text)
            if address is None or not self._is_allowed(address):
                raise Refused
        return found

    async def close(self) -> None:
        idle, self._idle = self._idle, {}
        for connection, timer in [one for many in idle.values() for one in many.items()]:
            timer.cancel()
            connection.close()
            await connection.wait_closed()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        self._threads = None


def _classify(error: OSError | UnicodeError) -> str:
    """Return what kind of fault it is."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return "name_not_resolved"
    return "tls_failed" if isinstance(error, ssl.SSLError) else "connection_failed"
