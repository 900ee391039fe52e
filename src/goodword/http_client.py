"""Services of others, by HTTP: bounded in time and size, and every fault of the other side is one error of ours."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import httpx2

MAX_RESPONSE_BYTES = 256 * 1024
PARSE_ERRORS = (ValueError, TypeError, KeyError, OverflowError, RecursionError)
"""What parsing an answer raises that is not of the agreed form."""


class Unreachable(Exception):
    """No answer that we take came in time. The text never holds an address of the request."""


class Reply(NamedTuple):
    status: int
    body: Any
    """What the JSON says; None where there was none."""


class OutboundClient:
    """The client of this process, opened at first use: most installations never ask anybody."""

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
        """Ask, as `user` (HTTP Basic, no password) if given; `budget` seconds for all. Raises `Unreachable`."""
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=None, **client_options())
        try:
            async with asyncio.timeout(budget):
                answer = await self._client.get(
                    url,
                    params=params,
                    headers={"Accept": "application/json", **(headers or {})},
                    auth=(user, "") if user is not None else None,
                )
        except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
            why = f" {error}" if isinstance(error, RejectedResponse) else ""
            raise Unreachable(f"{type(error).__name__}{why}") from None
        try:
            return Reply(answer.status_code, json.loads(answer.content))
        except PARSE_ERRORS:
            return Reply(answer.status_code, None)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def client_options() -> dict[str, Any]:
    """What a client needs so that nothing but the address it is given decides whom it talks to, and how long."""
    transport = BoundedTransport(verify=_authorities(), trust_env=False)
    return {"transport": transport, "follow_redirects": False, "trust_env": False}


@cache
def _authorities() -> ssl.SSLContext:
    return ssl.create_default_context()  # made once, at first use: it reads every authority there is


class BoundedTransport(httpx2.AsyncHTTPTransport):
    """Takes answers of a bounded size, uncompressed and without redirects, and nothing from broken servers."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["Accept-Encoding"] = "identity"  # little bytes that become many are no small answer
        request.headers["User-Agent"] = "goodword"  # GitHub answers nobody without one
        answer = await super().handle_async_request(request)
        encoded = answer.headers.get("content-encoding", "identity") != "identity"
        if encoded or answer.status_code >= 500 or 300 <= answer.status_code < 400:
            await answer.aclose()
            raise RejectedResponse(f"{answer.status_code}{' encoded' if encoded else ''}")
        assert isinstance(answer.stream, httpx2.AsyncByteStream)
        return httpx2.Response(
            answer.status_code,
            headers=[pair for pair in answer.headers.raw if pair[0].lower() != b"set-cookie"],
            stream=_Bounded(answer.stream),
            extensions=answer.extensions,
        )


class RejectedResponse(httpx2.TransportError):
    """An answer that we do not take."""


class _Bounded(httpx2.AsyncByteStream):
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
