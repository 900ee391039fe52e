"""POST requests to addresses that others have chosen: no private network is reached, and no redirect is followed."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from goodword.ip_address import Address, read_address

if TYPE_CHECKING:
    from goodword.outbound.guarded_transport import GuardedTransport

MAX_RESPONSE_BYTES = 16 * 1024
RESOLVING_THREADS = 16
"""Names whose servers do not answer must not delay others."""

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
    """The client of a process. It is created at its first use: most installations never use it."""

    def __init__(self, is_allowed: IsAllowed, *, resolve: Resolve = resolve) -> None:
        self._is_allowed, self._resolve = is_allowed, resolve
        self._threads: ThreadPoolExecutor | None = None
        self._transport: GuardedTransport | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, budget: float) -> Posted:
        """Send a POST request within `budget` seconds. It raises nothing: each fault has its `error`."""
        import httpx2

        from goodword.outbound.guarded_transport import GuardedTransport

        if self._transport is None:
            self._transport = GuardedTransport(self.addresses)
        request = httpx2.Request("POST", url, content=body, headers=dict(headers))
        try:
            async with asyncio.timeout(budget):
                return await self._send(self._transport, request)
        except TimeoutError:
            return Posted(None, error="timeout")
        except Refused:
            return Posted(None, error="address_refused")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
            return Posted(None, error=_classify(error))

    async def _send(self, transport: "GuardedTransport", request: Any) -> Posted:
        response = await transport.handle_async_request(request)
        try:
            size = 0
            async for chunk in response.aiter_raw():
                size += len(chunk)
                if size > MAX_RESPONSE_BYTES:
                    break  # the status is known
        finally:
            await response.aclose()
        return Posted(response.status_code, response.headers.get("retry-after"))

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
        if self._transport is not None:
            await self._transport.aclose()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        self._transport = self._threads = None


def _classify(error: BaseException) -> str:
    """Return what kind of fault it is, by the error or its causes."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, socket.gaierror | UnicodeError):
            return "name_not_resolved"
        if isinstance(seen, ssl.SSLError):
            return "tls_failed"
        if isinstance(seen, OSError):
            return "connection_failed"
        seen = seen.__cause__ or seen.__context__
    name = type(error).__name__
    return "connection_failed" if name in {"ConnectError", "ReadError", "WriteError"} else "protocol_error"
