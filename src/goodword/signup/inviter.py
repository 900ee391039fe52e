"""The referral code that a visitor brings to a page: its referrer, and the page of a visitor who is signed in."""

from fastapi import Request, Response

from goodword.codes import code_format, lookup, service as codes
from goodword.codes.schemas import CodeFound
from goodword.rate_limits.dependencies import after_lookup, before_lookup
from goodword.rate_limits.limiter import RateLimited
from goodword.services import services_of
from goodword.sessions import cookies
from goodword.sessions.cookies import Visitor
from goodword.users import service as users
from goodword.web.html.rendering import link, page


async def find_code(request: Request, text: str) -> CodeFound | None:
    """Return the usable code in `text`, and count a look-up. Return None once the limit of look-ups is reached."""
    key, services = code_format.normalise(text), services_of(request)
    if key is None:
        return None
    try:
        before_lookup(request.scope)
        content = await lookup.get_json(services, key, now=services.clock())
        await after_lookup(request.scope, found=content != lookup.NOT_FOUND)
    except RateLimited:
        return None
    return None if content == lookup.NOT_FOUND else CodeFound.model_validate_json(content)


async def page_if_signed_in(
    request: Request, code: CodeFound | None, *, status: int = 200, is_dead: bool = False
) -> Response | None:
    """Return a page that says who is signed in, or None for other visitors. A second account needs a sign-out."""
    visitor = await find_visitor(request)
    if visitor is None:
        return None
    return await signed_in_page(request, visitor, code, status=status, is_dead=is_dead)


async def find_visitor(request: Request) -> Visitor | None:
    """Return who is signed in on this browser. Other visitors cost no statement."""
    has_cookie = services_of(request).page_cookies.read(request) is not None
    return await cookies.visitor(request) if has_cookie else None


async def signed_in_page(
    request: Request, visitor: Visitor, code: CodeFound | None, *, status: int, is_dead: bool
) -> Response:
    services = services_of(request)
    async with services.database.readers() as session:
        user = await users.get(session, visitor.user_id)
        own = await codes.usable_code(session, user.id, now=services.clock())
    here = link(request, f"/r/{code.code}" if code else "/sign-up")
    return page(
        request,
        "signed_in_visitor.html",
        status=status,
        here=here,
        code=code,
        is_dead=is_dead,
        is_own=code is not None and own is not None and own.code == code.code,
        email=user.email,
        form_token=services.page_cookies.form_token(visitor),
    )
