"""QR codes (ISO/IEC 18004)."""

import asyncio
import io
from collections.abc import Mapping
from typing import Any

import segno

MEDIA_TYPES: Mapping[str, str] = {"svg": "image/svg+xml; charset=utf-8", "png": "image/png"}
SCALE = 8


async def draw(content: str, kind: str) -> bytes:
    """Return a QR code of `content`, dark on white with the margin that readers need.

    Runs in a thread: drawing takes some milliseconds, which would block the event loop.
    """
    return await asyncio.to_thread(_draw, content, kind)


def _draw(content: str, kind: str) -> bytes:
    image = io.BytesIO()
    options: dict[str, Any] = {"svgclass": None, "lineclass": None} if kind == "svg" else {}
    segno.make(content, error="m", micro=False).save(image, kind=kind, scale=SCALE, light="white", **options)
    return image.getvalue()
