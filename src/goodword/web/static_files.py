"""Static files that are kept in memory and sent with an `ETag`."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from starlette.requests import Request
from starlette.responses import Response

TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml; charset=utf-8",
}


@dataclass(frozen=True)
class StaticFile:
    body: bytes
    media_type: str
    version: str
    """A hash of the body."""

    @classmethod
    def create(cls, body: bytes, suffix: str) -> Self:
        return cls(body, TYPES[suffix], hashlib.sha256(body).hexdigest()[:16])


def send(
    request: Request,
    file: StaticFile,
    *,
    cache_control: str = "public, max-age=86400",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the file, or 304 if the client has this version."""
    etag = f'"{file.version}"'
    headers = {"Cache-Control": cache_control, "ETag": etag, **(headers or {})}
    # A proxy that compresses responses makes the tag weak.
    known = request.headers.get("if-none-match", "").split(",")
    if any(tag.strip().removeprefix("W/") in {etag, "*"} for tag in known):
        return Response(status_code=304, headers=headers)
    return Response(file.body, media_type=file.media_type, headers=headers)
