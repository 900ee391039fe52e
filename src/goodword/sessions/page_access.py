"""Whose page it is: who looks at it, who sends its forms, and the way in for somebody who is signed out."""

from urllib.parse import urlencode

from fastapi import Request, Response

from goodword.rate_limits.dependencies import count_write
from goodword.services import services_of
from goodword.sessions import cookies
from goodword.sessions.cookies import Visitor
from goodword.web.forms import FormInvalid, is_from_here, read_form
from goodword.web.html.rendering import foreign_form, link, see_other


async def require_visitor(request: Request, path: str) -> Visitor | Response:
    """Who looks at the page at `path`, or the way to the sign-in that leads back there."""
    return await cookies.visitor(request) or to_sign_in(request, path)


async def require_form(request: Request, path: str) -> Visitor | Response:
    """Who sends a form of the page at `path`. A form that is not theirs is refused (decision 13)."""
    visitor = await cookies.visitor(request)
    if visitor is None:
        return to_sign_in(request, path)
    await count_write(request, visitor.user_id)
    return visitor if await is_own_form(request, visitor) else foreign_form(request)


def to_sign_in(request: Request, path: str) -> Response:
    return see_other(f"{link(request, '/sign-in')}?{urlencode({'next': link(request, path)})}")


async def is_own_form(request: Request, visitor: Visitor) -> bool:
    """Whether a form was sent by this visitor from a page of ours."""
    try:
        form = await read_form(request)
    except FormInvalid:
        return False
    cookies = services_of(request).page_cookies
    return is_from_here(request) and cookies.is_form_token(visitor, form.get("form_token", ""))


def leads_to_an_app(request: Request, next_path: str) -> bool:
    return next_path.startswith(link(request, "/oauth/authorize?"))
