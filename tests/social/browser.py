"""The way of a browser: to the provider, and back."""

from typing import Any

from httpx2 import AsyncClient, Response

from social.provider import Provider

COOKIE = "goodword-flow"


async def begin(api: AsyncClient, slug: str = "oidc", **query: Any) -> Response:
    return await api.get(f"/oauth/sign-in/{slug}", params=query)


async def leave(api: AsyncClient, provider: Provider, slug: str = "oidc", **query: Any) -> str:
    """Begin, and say yes at the provider: where the browser is sent back to."""
    begun = await begin(api, slug, **query)
    assert begun.status_code == 303, begun.text
    return provider.approve(begun.headers["location"])


async def sign_in(api: AsyncClient, provider: Provider, slug: str = "oidc", **query: Any) -> Response:
    return await api.get(await leave(api, provider, slug, **query))


def assert_refused(answer: Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json()["code"] == code, answer.text
    assert "goodword" not in answer.cookies
