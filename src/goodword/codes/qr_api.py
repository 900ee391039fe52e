"""API: the link of a code as a QR code."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

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


Plain = Annotated[bool, Query(description="Black and white, without the logo, whatever the brand.")]


def _responses(media_type: str, schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    image = {200: {"description": "The QR code.", "content": {media_type: {"schema": schema}}}}
    return image | problems(service.CodeNotFound)


@router.get(
    "/qr.svg",
    summary="A code's link as a QR code, in SVG",
    response_class=Response,
    responses=_responses("image/svg+xml", {"type": "string", "examples": ["<svg …>…</svg>"]}),
)
async def get_code_qr_svg(
    code: Code, request: Request, caller: CodesReader, reader: Reader, *, plain: Plain = False
) -> Response:
    """Return a scalable QR code (ISO/IEC 18004) of the link of one of your codes, in any state.

    It has the color and the logo of the brand, if they are set.
    """
    return await _draw(request, reader, caller, code, "svg", plain=plain)


@router.get(
    "/qr.png",
    summary="A code's link as a QR code, in PNG",
    response_class=Response,
    responses=_responses("image/png", {"type": "string", "format": "binary", "examples": ["‰PNG…"]}),
)
async def get_code_qr_png(
    code: Code, request: Request, caller: CodesReader, reader: Reader, *, plain: Plain = False
) -> Response:
    """Return the same QR code with eight pixels for each module, and a margin."""
    return await _draw(request, reader, caller, code, "png", plain=plain)


async def _draw(
    request: Request, reader: Reader, caller: CodesReader, code: str, kind: str, *, plain: bool
) -> Response:
    found, settings = await service.get(reader, caller.user_id, code), services_of(request).settings
    link = code_format.link(settings.public_url, found.code or "")
    image = await qr.draw(link, kind, None if plain else settings)
    return Response(image, media_type=qr.MEDIA_TYPES[kind])
