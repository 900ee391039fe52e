"""The HTTP client for third-party APIs. Responses are limited in time and size, and every fault is one error."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import httpx2

MAX_RESPONSE_BYTES = 256 * 1024
PARSE_ERRORS = (ValueError, TypeError, KeyError, OverflowError, RecursionError)
"""Errors from parsing a response that does not have the documented form."""


class Unreachable(Exception):
    """No acceptable response came in time. The message never contains a URL."""


class Reply(NamedTuple):
    status: int
    body: Any
    """The parsed JSON, or None if the body is not JSON."""


class OutboundClient:
    """The client of a process. It is created at its first use, because most installations never use it."""

    def __init__(self) -> None:
        self._client: httpx2.AsyncClient | None = None

    async def get(
        self,
        url: str,
        *,
        params: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        user: str | None = None,
        budget: float,
    ) -> Reply:
        """Send a GET request within `budget` seconds, as `user` with an empty password if given.

        Raises `Unreachable`.
        """
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=None, **client_options())
        try:
            async with asyncio.timeout(budget):
                response = await self._client.get(
                    url,
                    params=params,
                    headers={"Accept": "application/json", **(headers or {})},
                    auth=(user, "") if user is not None else None,
                )
        except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
            why = f" {error}" if isinstance(error, RejectedResponse) else ""
            raise Unreachable(f"{type(error).__name__}{why}") from None
        try:
            return Reply(response.status_code, json.loads(response.content))
        except PARSE_ERRORS:
            return Reply(response.status_code, None)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def client_options() -> dict[str, Any]:
    """Return options for a client that ignores proxies, redirects and other settings of the environment."""
    transport = BoundedTransport(verify=_tls_context(), trust_env=False)
    return {"transport": transport, "follow_redirects": False, "trust_env": False}


@cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()  # slow: it reads all certificate authorities


class BoundedTransport(httpx2.AsyncHTTPTransport):
    """A transport that rejects large or compressed responses, redirects and server errors."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["Accept-Encoding"] = "identity"  # a small compressed body may be large
        request.headers["User-Agent"] = "goodword"  # GitHub requires one
        response = await super().handle_async_request(request)
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
