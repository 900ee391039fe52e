"""Limits on what a third-party API sends. Imported only to send a request: the HTTP library takes time and memory."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2

from goodword.outbound.tls import tls_context
from goodword.telemetry import tracing

MAX_RESPONSE_BYTES = 256 * 1024


def client_options() -> dict[str, Any]:
    """Return options for a client that ignores proxies, redirects and other settings of the environment."""
    transport = BoundedTransport(verify=tls_context(), trust_env=False)
    return {"transport": transport, "follow_redirects": False, "trust_env": False}


class BoundedTransport(httpx2.AsyncHTTPTransport):
    """A transport that rejects large or compressed responses, redirects and server errors."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["Accept-Encoding"] = "identity"  # a small compressed body may be large
        request.headers["User-Agent"] = "goodword"  # GitHub requires one
        url = request.url.copy_with(userinfo=b"", query=None, fragment=None)
        attributes = {"http.request.method": request.method, "server.address": url.host, "url.full": str(url)}
        with tracing.step(request.method, attributes) as span:
            response = await super().handle_async_request(request)
            if span:
                span.set_attribute("http.response.status_code", response.status_code)
        is_encoded = response.headers.get("content-encoding", "identity") != "identity"
        if is_encoded or response.status_code >= 500 or 300 <= response.status_code < 400:
            await response.aclose()
            raise RejectedResponse(f"{response.status_code}{' encoded' if is_encoded else ''}")
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        return httpx2.Response(
            response.status_code,
            headers=[pair for pair in response.headers.raw if pair[0].lower() != b"set-cookie"],
            stream=_BoundedStream(response.stream),
            extensions=response.extensions,
        )


class RejectedResponse(httpx2.TransportError):
    """A response that is not accepted."""


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > MAX_RESPONSE_BYTES:
                raise RejectedResponse("too large")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
