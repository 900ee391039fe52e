"""Whose page it is: who looks at it, who sends its forms, and the way in for somebody who is signed out."""

from urllib.parse import urlencode

from fastapi import Request, Response

from goodword.limits import count_write
from goodword.pages.rendering import foreign, link, see_other
from goodword.pages.sign_in import is_own_form
from goodword.sessions import browser
from goodword.sessions.browser import Visitor


async def looking(request: Request, path: str) -> Visitor | Response:
    """Who looks at the page at `path`, or the way to the sign-in that leads back there."""
    return await browser.visitor(request) or to_sign_in(request, path)


async def sending(request: Request, path: str) -> Visitor | Response:
    """Who sends a form of the page at `path`. A form that is not theirs is refused (decision 13)."""
    visitor = await browser.visitor(request)
    if visitor is None:
        return to_sign_in(request, path)
    await count_write(request, visitor.user_id)
    return visitor if await is_own_form(request, visitor) else foreign(request)


def to_sign_in(request: Request, path: str) -> Response:
    return see_other(f"{link(request, '/sign-in')}?{urlencode({'next': link(request, path)})}")
