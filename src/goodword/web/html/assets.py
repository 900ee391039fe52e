"""Static files of the pages. Each has a version in its URL, which changes with its contents."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml; charset=utf-8",
}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class _File:
    body: bytes
    media_type: str
    etag: str


def _file(path: Path) -> _File:
    body = path.read_bytes()
    return _File(body, TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:16])


_FILES = {path.name: _file(path) for path in sorted((Path(__file__).parent / "static").iterdir())}


def path(name: str) -> str:
    return f"/pages/{name}?v={_FILES[name].etag}"


@router.get("/pages/{name}")
async def send_file(name: str, request: Request) -> Response:
    found = _FILES.get(name)
    if found is None:
        raise HTTPException(404)
    tag = f'"{found.etag}"'
    headers = {"Cache-Control": "public, max-age=86400", "ETag": tag}
    if found.media_type == "image/png":  # other sites show it as the preview of a link
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if tag in request.headers.get("if-none-match", ""):  # a proxy that compresses may have added W/
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type=found.media_type, headers=headers)
