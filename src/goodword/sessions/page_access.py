"""Access to pages: the visitor who is signed in, and the forms that they send."""

from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import Depends, FastAPI, Request, Response

from goodword.languages import UI_LOCALES
from goodword.rate_limits.dependencies import count_write
from goodword.services import services_of
from goodword.sessions import cookies
from goodword.sessions.cookies import Visitor
from goodword.web.forms import is_from_here, read_form
from goodword.web.html import messages
from goodword.web.html.rendering import foreign_form, link, message_page, see_other
from goodword.web.request_context import READS
from goodword.web.urlencoded import FormInvalid


class AccessRefused(Exception):
    """Ends a request with a response other than the page."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def signed_in(path: str) -> Any:
    """Return a dependency on the visitor of the page at `path`.

    A client that is signed out is redirected to the sign-in, which leads back to `path`. A form counts as a
    write, and is refused unless it comes from a page that was made for this visitor (decision 13).
    """

    async def visitor(request: Request) -> Visitor:
        found = await cookies.visitor(request)
        if found is None:
            query = urlencode({"next": link(request, path)})
            raise AccessRefused(see_other(f"{link(request, '/sign-in')}?{query}"))
        if request.method not in READS:
            await check_form(request, found)
        return found

    return Depends(visitor)


def install(app: FastAPI) -> None:
    """Respond to `AccessRefused`."""

    @app.exception_handler(AccessRefused)
    async def respond(_request: Request, refused: AccessRefused) -> Response:
        return refused.response


async def check_form(request: Request, visitor: Visitor) -> None:
    """Count a form as a write. Raises `AccessRefused` unless it is from a page that was made for `visitor`."""
    await count_write(request, visitor.user_id)
    if not await is_own_form(request, visitor):
        raise AccessRefused(foreign_form(request))


async def _local_form(request: Request) -> dict[str, str]:
    if not is_from_here(request):
        raise AccessRefused(foreign_form(request))
    try:
        return await read_form(request)
    except FormInvalid as error:
        unreadable = message_page(request, error.status, messages.TITLE, messages.UNREADABLE)
        raise AccessRefused(unreadable) from None


LocalForm = Annotated[dict[str, str], Depends(_local_form)]
"""A form without a token, for visitors who are not signed in. Its origin is checked (login CSRF)."""


async def is_own_form(request: Request, visitor: Visitor) -> bool:
    """Return whether the form comes from a page of this service that was made for `visitor`."""
    try:
        form = await read_form(request)
    except FormInvalid:
        return False
    cookies = services_of(request).page_cookies
    return is_from_here(request) and cookies.is_form_token(visitor, form.get("form_token", ""))


def use_ui_locales(request: Request, next_path: str) -> None:
    """Show pages on the way to `next_path` in a language that its `ui_locales` names."""
    query = dict(parse_qsl(urlsplit(next_path).query))
    request.scope["state"][UI_LOCALES] = query.get(UI_LOCALES, "")


def leads_to_an_app(request: Request, next_path: str) -> bool:
    return next_path.startswith(link(request, "/oauth/authorize?"))
