"""The transport of `GuardedClient`. Imported only to send a request: the HTTP library takes time and memory."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import httpcore2
import httpx2
from httpcore2 import AnyIOBackend, AsyncNetworkBackend, AsyncNetworkStream

from goodword.outbound.bounded_transport import tls_context
from goodword.telemetry import tracing

Addresses = Callable[[str, int], Awaitable[Sequence[str]]]
"""Resolves a name and checks its addresses."""


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """A transport whose connections go only to checked addresses, never through a proxy."""

    def __init__(self, addresses: Addresses) -> None:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=5)
        super().__init__(verify=tls_context(), trust_env=False, limits=limits)
        # httpx2 has no public way to give the pool a backend: a test holds that this one is used.
        pool: Any = self._pool
        pool._network_backend = _GuardedBackend(addresses)  # noqa: SLF001

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["Accept-Encoding"] = "identity"
        attributes = {"http.request.method": request.method, "server.address": request.url.host}
        with tracing.step(request.method, attributes) as span:
            response = await super().handle_async_request(request)
            if span:
                span.set_attribute("http.response.status_code", response.status_code)
        return response


class _GuardedBackend(AsyncNetworkBackend):
    """Resolves a name once for each connection, and connects to the address that was checked."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses, self._backend = addresses, AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  of the base class
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncNetworkStream:
        failure: Exception = httpcore2.ConnectError("the name has no address")
        for address in await self._addresses(host, port):
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)
