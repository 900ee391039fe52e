"""QR codes (ISO/IEC 18004), in the color of the brand and with its logo."""

import asyncio
import base64
import io
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from goodword.config.brand_colors import readable
from goodword.config.brand_settings import BrandSettings, Logo

MEDIA_TYPES: Mapping[str, str] = {"svg": "image/svg+xml; charset=utf-8", "png": "image/png"}
SCALE = 8
LOGO_SHARE = 0.22
"""Of the width. With its margin the logo covers 8 % of the modules; error correction H restores up to 30 %."""
LOGO_PIXELS = 192
MAX_IMAGES = 100
"""Images in memory, of some 10 KiB, or 40 with a logo."""


async def draw(content: str, kind: str, brand: BrandSettings | None = None) -> bytes:
    """Return a QR code of `content`, dark on white with the margin that readers need.

    Runs in a thread: drawing takes some milliseconds, which would block the event loop.
    """
    color = readable(brand.brand_color) if brand and brand.brand_color else None
    return await asyncio.to_thread(_draw, content, kind, color, brand.brand_logo if brand else None)


@lru_cache(MAX_IMAGES)
def _draw(content: str, kind: str, color: str | None, logo: Logo | None) -> bytes:
    import segno

    image = io.BytesIO()
    code = segno.make(content, error="h" if logo else "m", micro=False)
    options: dict[str, Any] = {"dark": color} if color else {}
    if logo or kind == "svg":
        options |= {"svgclass": None, "lineclass": None}
    code.save(image, kind="svg" if logo else kind, scale=SCALE, light="white", **options)
    if logo is None:
        return image.getvalue()
    svg = _with_logo(image.getvalue(), code.symbol_size(scale=SCALE)[0], logo)
    return svg if kind == "svg" else _rasterise(svg.decode())


def _with_logo(svg: bytes, size: float, logo: Logo) -> bytes:
    width = size * LOGO_SHARE
    start, margin = (size - width) / 2, SCALE
    picture = base64.b64encode(_small(logo)).decode()
    drawn = (
        f'<rect x="{start - margin:.1f}" y="{start - margin:.1f}" width="{width + 2 * margin:.1f}" '
        f'height="{width + 2 * margin:.1f}" rx="{margin}" fill="#fff"/>'
        f'<image x="{start:.1f}" y="{start:.1f}" width="{width:.1f}" height="{width:.1f}" '
        f'href="data:image/png;base64,{picture}"/></svg>'
    )
    return svg.rstrip().removesuffix(b"</svg>") + drawn.encode()


@lru_cache(2)
def _small(logo: Logo) -> bytes:
    """Return the logo as a small PNG: the file can have 256 KiB, and an SVG can contain scripts."""
    kind, size = "png" if logo.suffix == ".png" else "svg+xml", LOGO_PIXELS
    picture = base64.b64encode(logo.content).decode()
    return _rasterise(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}">'
        f'<image width="{size}" height="{size}" href="data:image/{kind};base64,{picture}"/></svg>'
    )


def _rasterise(svg: str) -> bytes:
    import resvg_py  # only a service with a logo needs it

    return bytes(resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True))
