"""The page that a friend's link leads to."""

from functools import lru_cache
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from goodword.codes import code_format, lookup
from goodword.codes.schemas import CodeFound
from goodword.config.settings import Settings
from goodword.rate_limits.dependencies import after_lookup, before_lookup
from goodword.services import services_of
from goodword.signup.pages import FIELDS
from goodword.web.dependencies import Clock
from goodword.web.html import assets
from goodword.web.html.rendering import html_response, link, render
from goodword.web.request_context import READS

KEPT_AT_MOST = 1000
LONGEST_PATH = 256


class Landing(APIRoute):
    """Asked again, it answers from memory, before the framework parses anything: links are passed around."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        before_lookup(scope)
        content = services_of(scope).cache.peek((scope["path"], b""))
        if content is None or scope["method"] not in READS:
            await super().handle(scope, receive, send)
        else:
            response = await _answer(Request(scope), content)
            await response(scope, receive, send)


class LandingPages:
    """Pages as they were rendered. Each is a function of what it shows, so none is ever out of date."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.page = lru_cache(KEPT_AT_MOST)(self._page)

    def _page(self, content: bytes, language: str, here: str, providers: tuple[tuple[str, str], ...]) -> str:
        values: dict[str, Any] = {
            "script": True,
            "next_path": "/",
            "providers": dict(providers),
            "least": self._settings.password_min_length,
        }
        if content == lookup.NOTHING:
            return render(self._settings, language, "dead_code.html", here=here, **values)
        code = CodeFound.model_validate_json(content)
        given = dict.fromkeys(FIELDS, "") | {"referral_code": code.code}
        values |= {"code": code, "given": given, "errors": {}, "picture": assets.path("card.png")}
        return render(self._settings, language, "landing.html", here=here, **values)


router = APIRouter(include_in_schema=False, route_class=Landing)


@router.api_route("/r/{code}", methods=["GET", "HEAD"])
async def show_landing(code: str, request: Request, clock: Clock) -> Response:
    """Who invites, until when, and the form to join; for a code that cannot be used, a way without it."""
    key = code_format.normalise(code)
    if key is None:
        return await _answer(request, lookup.NOTHING)
    services = services_of(request)
    services.cache.note((request.scope["path"], b""), lookup.by_string(key))
    return await _answer(request, await lookup.shown(services.cache, services.database, key, now=clock()))


async def _answer(request: Request, content: bytes) -> Response:
    await after_lookup(request.scope, found=content != lookup.NOTHING)
    services = services_of(request)
    labels = services.social_clients.labels
    path = quote(request.scope["path"])
    here = link(request, path if len(path) <= LONGEST_PATH else "/")  # it is kept, a thousand times over
    text = services.landing_pages.page(
        content, services.page_cookies.language(request), here, tuple(labels.items())
    )
    return html_response(text, status=404 if content == lookup.NOTHING else 200)
