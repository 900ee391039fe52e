"""API: the link of a code as a QR code."""

from typing import Any

from fastapi import APIRouter, Request, Response

from goodword.codes import code_format, qr, service
from goodword.codes.parameters import Code
from goodword.services import services_of
from goodword.sessions.auth import CodesReader
from goodword.web.dependencies import Reader
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems

router = APIRouter(
    prefix="/api/v1/me/referral-codes/{code:pasted}", tags=["Your referral codes"], route_class=JsonRoute
)


def _responses(media_type: str, schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    image = {200: {"description": "The QR code.", "content": {media_type: {"schema": schema}}}}
    return image | problems(service.CodeNotFound)


@router.get(
    "/qr.svg",
    summary="A code's link as a QR code, in SVG",
    response_class=Response,
    responses=_responses("image/svg+xml", {"type": "string", "examples": ["<svg …>…</svg>"]}),
)
async def draw_code_svg(code: Code, request: Request, caller: CodesReader, reader: Reader) -> Response:
    """Return a scalable QR code (ISO/IEC 18004) of the link of one of your codes, in any state."""
    return await _draw(request, reader, caller, code, "svg")


@router.get(
    "/qr.png",
    summary="A code's link as a QR code, in PNG",
    response_class=Response,
    responses=_responses("image/png", {"type": "string", "format": "binary", "examples": ["‰PNG…"]}),
)
async def draw_code_png(code: Code, request: Request, caller: CodesReader, reader: Reader) -> Response:
    """Return the QR code in black and white, with eight pixels for each module and a margin."""
    return await _draw(request, reader, caller, code, "png")


async def _draw(request: Request, reader: Reader, caller: CodesReader, code: str, kind: str) -> Response:
    found = await service.get(reader, caller.user_id, code)
    link = code_format.link(services_of(request).settings.public_url, found.code or "")
    return Response(await qr.draw(link, kind), media_type=qr.MEDIA_TYPES[kind])
