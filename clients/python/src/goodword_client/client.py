"""The clients: `Goodword` waits for answers, `AsyncGoodword` awaits them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, ParamSpec, Protocol, Self, TypeVar

import httpx2

from goodword_client._calls import Retries
from goodword_client.generated.client import AsyncOperations, Operations

P = ParamSpec("P")
T = TypeVar("T")

TIMEOUT = 30.0


class Page(Protocol[T]):
    """A page of a list: what every operation `list_…` returns."""

    items: list[T]
    next_cursor: str | None


class Goodword(Operations):
    """A client of one service. Each operation of the API is a method.

    `token` is an API key (`gwk_…`) or the access token of a user. `http` replaces the client of httpx2, for a proxy
    or certificates. A request that failed is sent again when that is safe, see `Retries`.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = TIMEOUT,
        retries: Retries | None = None,
        http: httpx2.Client | None = None,
    ) -> None:
        self._http = http if http is not None else httpx2.Client(timeout=timeout)
        self._retries = retries or Retries()
        self._http.base_url = httpx2.URL(url)
        self._headers = headers(token)

    def with_token(self, token: str) -> "Goodword":
        """Return a client with another token that shares the connections of this one."""
        return Goodword(str(self._http.base_url), token, retries=self._retries, http=self._http)

    def each(self, list_page: Callable[P, Page[T]], *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        """Yield the items of all pages: `goodword.each(goodword.list_codes, status=CodeStatus.ACTIVE)`."""
        options: dict[str, Any] = dict(kwargs)
        while True:
            page = list_page(*args, **options)
            yield from page.items
            if page.next_cursor is None:
                return
            options["cursor"] = page.next_cursor

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncGoodword(AsyncOperations):
    """A client of one service for asyncio. It has the methods and parameters of `Goodword`."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = TIMEOUT,
        retries: Retries | None = None,
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        self._http = http if http is not None else httpx2.AsyncClient(timeout=timeout)
        self._retries = retries or Retries()
        self._http.base_url = httpx2.URL(url)
        self._headers = headers(token)

    def with_token(self, token: str) -> "AsyncGoodword":
        """Return a client with another token that shares the connections of this one."""
        return AsyncGoodword(str(self._http.base_url), token, retries=self._retries, http=self._http)

    async def each(
        self, list_page: Callable[P, Awaitable[Page[T]]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[T]:
        """Yield the items of all pages: `async for code in goodword.each(goodword.list_codes)`."""
        options: dict[str, Any] = dict(kwargs)
        while True:
            page = await list_page(*args, **options)
            for item in page.items:
                yield item
            if page.next_cursor is None:
                return
            options["cursor"] = page.next_cursor

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def headers(token: str | None) -> dict[str, str]:
    """Return the headers of every request."""
    return {"user-agent": "goodword-client"} | ({"authorization": f"Bearer {token}"} if token else {})
