"""A code's link as a picture, for paper and for screens that others point their phones at."""

import asyncio
import io
from typing import Any, Literal

import segno
from fastapi import APIRouter, Request, Response

from goodword.codes import service
from goodword.codes.api import Code, link
from goodword.db import Reader
from goodword.docs.openapi import problems
from goodword.http import JsonRoute
from goodword.sessions.current import CodesReader

router = APIRouter(
    prefix="/api/v1/me/referral-codes/{code}", tags=["Your referral codes"], route_class=JsonRoute
)

SCALE = 8


class Svg(Response):
    media_type = "image/svg+xml"


class Png(Response):
    media_type = "image/png"


def _picture_of(media_type: str, schema: dict[str, str]) -> dict[int | str, dict[str, Any]]:
    found = {200: {"description": "The picture.", "content": {media_type: {"schema": schema}}}}
    return found | problems(service.CodeNotFound)


@router.get(
    "/qr.svg",
    summary="A code's link as a QR code, in SVG",
    response_class=Svg,
    responses=_picture_of("image/svg+xml", {"type": "string", "example": "<svg …>…</svg>"}),
)
async def draw_code_svg(code: Code, request: Request, caller: CodesReader, reader: Reader) -> Response:
    """A picture of any size (ISO/IEC 18004), dark on white whatever is behind it. For any code of yours,
    whatever its state: see to it that the code works while the picture hangs there.
    """
    found = await service.get(reader, caller.user_id, code)
    return Svg(await asyncio.to_thread(_draw, link(request, found.code), "svg"))


@router.get(
    "/qr.png",
    summary="A code's link as a QR code, in PNG",
    response_class=Png,
    responses=_picture_of("image/png", {"type": "string", "format": "binary", "example": "‰PNG…"}),
)
async def draw_code_png(code: Code, request: Request, caller: CodesReader, reader: Reader) -> Response:
    """The same in black and white, eight pixels for each module, with the margin that readers need."""
    found = await service.get(reader, caller.user_id, code)
    return Png(await asyncio.to_thread(_draw, link(request, found.code), "png"))


def _draw(content: str, kind: Literal["svg", "png"]) -> bytes:
    # In a thread: it takes some milliseconds, in which nobody else would be answered.
    picture = io.BytesIO()
    options: dict[str, Any] = {"svgclass": None, "lineclass": None} if kind == "svg" else {}
    segno.make(content, error="m", micro=False).save(
        picture, kind=kind, scale=SCALE, light="white", **options
    )
    return picture.getvalue()
