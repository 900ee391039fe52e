"""A code's link as a picture, for paper and for screens that others point their phones at."""

from typing import Any

from fastapi import APIRouter, Request, Response

from goodword.codes import qr, service
from goodword.codes.api import Code, link
from goodword.sessions.auth import CodesReader
from goodword.web.dependencies import Reader
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems

router = APIRouter(
    prefix="/api/v1/me/referral-codes/{code}", tags=["Your referral codes"], route_class=JsonRoute
)


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
    return Svg(await qr.draw(link(request, found.code), "svg"), media_type="image/svg+xml; charset=utf-8")


@router.get(
    "/qr.png",
    summary="A code's link as a QR code, in PNG",
    response_class=Png,
    responses=_picture_of("image/png", {"type": "string", "format": "binary", "example": "‰PNG…"}),
)
async def draw_code_png(code: Code, request: Request, caller: CodesReader, reader: Reader) -> Response:
    """The same in black and white, eight pixels for each module, with the margin that readers need."""
    found = await service.get(reader, caller.user_id, code)
    return Png(await qr.draw(link(request, found.code), "png"))
