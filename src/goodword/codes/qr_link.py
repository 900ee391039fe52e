"""The public picture of a referral link as a QR code."""

from fastapi import APIRouter, Request, Response

from goodword.codes import code_format, lookup, qr, service
from goodword.codes.parameters import Code
from goodword.codes.schemas import CodeFound
from goodword.rate_limits.dependencies import after_lookup, before_lookup
from goodword.services import services_of
from goodword.web.dependencies import Clock

HEADERS = {"Cache-Control": "public, max-age=300", "Cross-Origin-Resource-Policy": "cross-origin"}

router = APIRouter(include_in_schema=False)


@router.get("/r/{code}/qr.svg")
async def draw_link(code: Code, request: Request, clock: Clock) -> Response:
    """Return a QR code of the link of a usable code. It counts as a look-up."""
    before_lookup(request.scope)
    key, services = code_format.normalise(code), services_of(request)
    content = lookup.NOT_FOUND if key is None else await lookup.get_json(services, key, now=clock())
    await after_lookup(request.scope, found=content != lookup.NOT_FOUND)
    if content == lookup.NOT_FOUND:
        raise service.CodeNotFound
    found, settings = CodeFound.model_validate_json(content), services.settings
    image = await qr.draw(code_format.link(settings.public_url, found.code), "svg", settings)
    return Response(image, media_type=qr.MEDIA_TYPES["svg"], headers=HEADERS)
