"""QR codes (ISO/IEC 18004)."""

import asyncio
import io
from typing import Any, Literal

import segno

Kind = Literal["svg", "png"]

SCALE = 8


async def draw(content: str, kind: Kind) -> bytes:
    """Return a QR code of `content`, dark on white with the margin that readers need.

    Runs in a thread: drawing takes some milliseconds, which would block the event loop.
    """
    return await asyncio.to_thread(_draw, content, kind)


def _draw(content: str, kind: Kind) -> bytes:
    picture = io.BytesIO()
    options: dict[str, Any] = {"svgclass": None, "lineclass": None} if kind == "svg" else {}
    segno.make(content, error="m", micro=False).save(
        picture, kind=kind, scale=SCALE, light="white", **options
    )
    return picture.getvalue()
