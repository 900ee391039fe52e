"""The HTTP client for third-party APIs. Responses are limited in time and size, and every fault is one error."""

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import httpx2

PARSE_ERRORS = (ValueError, TypeError, KeyError, OverflowError, RecursionError)
"""Errors from parsing a response that does not have the documented form."""


class Unreachable(Exception):
    """No acceptable response came in time. The message never contains a URL."""


class Reply(NamedTuple):
    status: int
    body: Any
    """The parsed JSON, or None if the body is not JSON."""


class OutboundClient:
    """The client of a process. It is imported and created at its first use: most installations never use it."""

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
        import httpx2

        from goodword.outbound.bounded_transport import RejectedResponse, client_options

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
