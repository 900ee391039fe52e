"""A referral link: it records the click, and leads to the target of its program or shows the landing page."""

from functools import lru_cache
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from goodword.codes import code_format, lookup
from goodword.codes.parameters import Code
from goodword.codes.schemas import CodeFound
from goodword.config.settings import Settings
from goodword.errors import AppError
from goodword.programs.models import DEFAULT_PROGRAM_ID, UnusableLink
from goodword.rate_limits.dependencies import after_lookup, before_lookup
from goodword.rate_limits.limiter import RateLimited
from goodword.services import services_of
from goodword.sessions.cookies import Visitor
from goodword.signup.inviter import find_visitor, signed_in_page
from goodword.signup.schemas import REGISTRATION_FIELDS
from goodword.touches import clicks, link_target, touch_memory
from goodword.web.dependencies import Clock
from goodword.web.html.assets import Assets
from goodword.web.html.rendering import accepts_html, error_values, html_response, link, page, render
from goodword.web.request_context import READS

MAX_PAGES = 250  # of about 6 KiB each
MAX_PATH_LENGTH = 256


class LandingRoute(APIRoute):
    """A route that answers a repeated request from memory before FastAPI parses it."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        before_lookup(scope)
        content = services_of(scope).cache.peek((scope["path"], b""))
        if content is None or scope["method"] not in READS:
            await super().handle(scope, receive, send)
        else:
            response = await _answer(Request(scope), content)
            await response(scope, receive, send)


class LandingPages:
    """Cache of rendered pages. A page depends only on the arguments of `page`, so no entry is ever outdated."""

    def __init__(self, settings: Settings, assets: Assets) -> None:
        self._settings, self._assets = settings, assets
        self.page = lru_cache(MAX_PAGES)(self._page)

    def _page(self, content: bytes, language: str, here: str, providers: tuple[tuple[str, str], ...]) -> str:
        values: dict[str, Any] = {
            "script": True,
            "next_path": f"{self._settings.base_path}/",
            "providers": dict(providers),
            "least": self._settings.password_min_length,
        }
        if content == lookup.NOT_FOUND:
            return render(self._settings, self._assets, language, "dead_code.html", here=here, **values)
        code = CodeFound.model_validate_json(content)
        given = dict.fromkeys(REGISTRATION_FIELDS, "") | {"referral_code": code.code}
        url = code_format.link(self._settings.public_url, code.code)
        values |= {"code": code, "url": url, "given": given, "errors": {}}
        return render(self._settings, self._assets, language, "landing.html", here=here, **values)


router = APIRouter(include_in_schema=False, route_class=LandingRoute)


@router.api_route("/r/{code:rest}", methods=["GET", "HEAD"])
@router.api_route("/R/{code:rest}", methods=["GET", "HEAD"])
async def show_landing(code: Code, request: Request, clock: Clock) -> Response:
    """Show the referrer and the registration form, or a page without a code if the code is not usable."""
    key = code_format.normalise(code)
    if key is None:
        return await _answer(request, lookup.NOT_FOUND)
    services = services_of(request)
    services.cache.note((request.scope["path"], b""), lookup.cache_key(key))
    return await _answer(request, await lookup.get_json(services, key, now=clock()))


def render_error(request: Request, error: AppError) -> Response | None:
    """Return the page of a link that is refused because of a limit. It keeps the code for the registration."""
    path: str = request.scope["path"]
    if not isinstance(error, RateLimited) or not path.startswith(("/r/", "/R/")) or not accepts_html(request):
        return None
    key = code_format.normalise(path[len("/r/") :]) or ""
    here = link(request, f"/r/{key}")
    return page(
        request,
        "invitation_refused.html",
        status=error.status,
        headers=error.headers,
        here=here,
        code=key,
        was_sent=False,
        **error_values(request, error),
    )


async def _answer(request: Request, content: bytes) -> Response:
    """Record the click, and lead to the target of the program or show the page."""
    services, is_usable = services_of(request), content != lookup.NOT_FOUND
    await after_lookup(request.scope, found=is_usable)
    key = code_format.normalise(request.scope["path"][len("/r/") :])
    linked = await services.linked_codes.get(key) if key else None
    programs, now = await services.programs.all(), services.clock()
    program = (linked and programs.get(linked.program_id)) or programs[DEFAULT_PROGRAM_ID]
    visitor, touch_id = await find_visitor(request), None
    if linked and is_usable and not (visitor and visitor.user_id == linked.owner_id):
        touch_id = clicks.record(request, linked, now=now)
    if program.link_target and linked and is_usable:
        response = _redirect(link_target.fill(program.link_target, linked.code, touch_id))
    elif program.link_target and program.unusable_link == UnusableLink.TARGET:
        response = _redirect(link_target.without_code(program.link_target))
    else:
        response = await _page(request, content, visitor)
    if touch_id and program.remember_touch:
        await touch_memory.remember(request, response, touch_id, program, now=now)
    return response


def _redirect(url: str) -> Response:
    # With the policy of the other responses, the target would not learn from which site the visitor comes.
    return Response(
        status_code=302, headers={"Location": url, "Referrer-Policy": "strict-origin-when-cross-origin"}
    )


async def _page(request: Request, content: bytes, visitor: Visitor | None) -> Response:
    is_dead = content == lookup.NOT_FOUND
    status = 404 if is_dead else 200
    if visitor:
        code = None if is_dead else CodeFound.model_validate_json(content)
        return await signed_in_page(request, visitor, code, status=status, is_dead=is_dead)
    services, path = services_of(request), quote(request.scope["path"])
    # The length is limited, because the cache of pages holds it.
    here = link(request, path if len(path) <= MAX_PATH_LENGTH else "/")
    providers = tuple(services.social_clients.labels.items())
    language = services.page_cookies.language(request)
    html = services.landing_pages.page(content, language, here, providers)
    redirects_to = services.settings.after_sign_up_url
    return html_response(html, language, status=status, redirects_to=redirects_to)
