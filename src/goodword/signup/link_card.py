"""The picture that messengers show for a referral link: the brand, who invites, and the offer."""

import base64
import re
import textwrap
from functools import lru_cache
from pathlib import Path

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from goodword.codes.parameters import Code
from goodword.config.brand_colors import readable
from goodword.config.settings import Settings
from goodword.languages import to_translate
from goodword.services import services_of
from goodword.signup.inviter import find_code
from goodword.users.models import A_FRIEND
from goodword.web.html.assets import Assets
from goodword.web.html.rendering import render, translate

FONT = Path(__file__).parent / "fonts" / "DejaVuSans-Bold.ttf"
MAX_CARDS = 200
"""Pictures in memory, of some 30 KiB."""
WIDTHS = {"title": 26, "description": 50}
"""Characters of a line."""
DRAWABLE = re.compile("[ -\u024f\u0370-\u03ff\u0400-\u045f‐-…]+")
"""Names that the font can show."""
HEADERS = {
    "Cache-Control": "public, max-age=300",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Vary": "Accept-Language, Cookie",
}

router = APIRouter(include_in_schema=False)


class LinkCards:
    """Draws the pictures one at a time, in a thread, and keeps the latest."""

    def __init__(self, settings: Settings, assets: Assets) -> None:
        self._settings, self._assets = settings, assets
        self._cached = lru_cache(MAX_CARDS)(self._draw)
        self._one_at_a_time = CapacityLimiter(1)

    async def draw(self, inviter: str, language: str) -> bytes:
        """Return a PNG of 1200 by 630 pixels. It takes some 50 ms of CPU."""
        known = inviter if DRAWABLE.fullmatch(inviter) else A_FRIEND
        return await run_sync(self._cached, known, language, limiter=self._one_at_a_time)

    def _draw(self, inviter: str, language: str) -> bytes:
        import resvg_py  # only a service whose links are shown needs it

        settings, icon = self._settings, self._assets.find(self._assets.icon)
        assert icon is not None
        brand, offer = settings.brand_name, settings.offer
        if inviter == A_FRIEND:
            title = translate(language, to_translate("A friend invites you to %(brand)s"), brand=brand)
        else:
            text = to_translate("%(name)s invites you to %(brand)s")
            title = translate(language, text, name=inviter, brand=brand)
        kind = icon.media_type.partition(";")[0]
        svg = render(
            settings,
            self._assets,
            language,
            "card.svg",
            here="",
            color=readable(settings.brand_color),
            picture=f"data:{kind};base64,{base64.b64encode(icon.body).decode()}",
            title=textwrap.wrap(title, WIDTHS["title"], max_lines=3, placeholder="…"),
            description=textwrap.wrap(
                offer[language] if offer else "", WIDTHS["description"], max_lines=2, placeholder="…"
            ),
        )
        return bytes(resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True, font_files=[str(FONT)]))


@router.api_route("/r/{code}/card.png", methods=["GET", "HEAD"])
async def send_card(code: Code, request: Request) -> Response:
    found = await find_code(request, code)
    if found is None:
        raise HTTPException(404)
    services = services_of(request)
    language = services.page_cookies.language(request)
    picture = await services.link_cards.draw(found.referrer.display_name, language)
    return Response(picture, media_type="image/png", headers=HEADERS)
