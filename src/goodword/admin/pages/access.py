"""Access to the pages under /admin: every other visitor receives 404."""

import uuid
from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.transaction_hooks import ACTOR
from goodword.errors import AppError, NotFound
from goodword.risk import review
from goodword.services import services_of
from goodword.sessions import cookies
from goodword.sessions.cookies import Visitor
from goodword.sessions.page_access import check_form
from goodword.users import service as users
from goodword.web.html import messages
from goodword.web.html.rendering import done_text, explain, page, translate_for
from goodword.web.request_context import READS
from goodword.web.schemas import Text

PREFIX = "/admin"
MAX_SEARCH_LENGTH = 100

_TEXT: TypeAdapter[str] = TypeAdapter(Text)


class AdminPage(APIRoute):
    """A page that checks for an administrator first.

    It reads session and user for each request, so a revoked session or right takes effect at once.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def hidden(request: Request) -> Response:
            visitor = request.state.administrator = await _require_administrator(request)
            if request.method not in READS:
                request.scope["state"][ACTOR].administers = True
                await check_form(request, visitor)
            return await handle(request)

        return hidden


async def _require_administrator(request: Request) -> Visitor:
    visitor = await cookies.visitor(request)
    if visitor is None or not await users.is_administrator(services_of(request).database, visitor.user_id):
        raise NotFound
    return visitor


async def _administrator(request: Request) -> Visitor:
    visitor: Visitor = request.state.administrator
    return visitor


Administrator = Annotated[Visitor, Depends(_administrator)]


def router() -> APIRouter:
    """Return a router whose pages all require an administrator."""
    return APIRouter(prefix=PREFIX, route_class=AdminPage, include_in_schema=False)


async def admin_page(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    template: str,
    *,
    done: Mapping[str, str] | None = None,
    error: AppError | str | None = None,
    **values: Any,
) -> Response:
    """Render a page with its common parts. `done` maps the query parameter `done` to a message.

    A text as the `error` is one of a form, in the language of the page.
    """
    return page(
        request,
        template,
        status=error.status if isinstance(error, AppError) else 422 if error else 200,
        error=explain(request, error) if isinstance(error, AppError) else error,
        done=done_text(request, done or {}) if error is None else None,
        is_first="cursor" not in request.query_params,
        user=await users.get(session, visitor.user_id),
        waiting=await review.count_held(session),
        form_token=services_of(request).page_cookies.form_token(visitor),
        **values,
    )


def read_search(request: Request) -> tuple[str, dict[str, str]]:
    """Return the search text, and the error message for its field if it is invalid."""
    text = request.query_params.get("q", "").strip()
    if len(text) > MAX_SEARCH_LENGTH:
        return text[:MAX_SEARCH_LENGTH], {"q": translate_for(request, messages.TEXTS["string_too_long"])}
    try:
        return _TEXT.validate_python(text), {}
    except ValidationError:
        return "", {"q": translate_for(request, messages.TEXTS["text_forbidden_character"])}


def read_id(text: str) -> uuid.UUID | None:
    """Return the id in `text`, or None if it is not one."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
