"""The QR code of a user's link, for a page."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from goodword.codes import code_format, qr, service
from goodword.codes.service import usable_code
from goodword.services import services_of
from goodword.sessions.cookies import Visitor
from goodword.sessions.page_access import signed_in
from goodword.web.dependencies import Clock, Reader

router = APIRouter(include_in_schema=False)


@router.get("/code/qr.{kind}")
async def draw_code(
    kind: str, request: Request, visitor: Annotated[Visitor, signed_in("/")], reader: Reader, clock: Clock
) -> Response:
    """Return a QR code of the link of the visitor's code, as a download if `?download` is given."""
    code = await usable_code(reader, visitor.user_id, now=clock())
    if code is None or kind not in qr.MEDIA_TYPES:
        raise service.CodeNotFound
    url = code_format.link(services_of(request).settings.public_url, code.code or "")
    headers = {}
    if "download" in request.query_params:
        headers["Content-Disposition"] = f'attachment; filename="{code.code}.{kind}"'
    return Response(
        await qr.draw(url, kind, services_of(request).settings),
        media_type=qr.MEDIA_TYPES[kind],
        headers=headers,
    )
