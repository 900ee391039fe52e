"""The API's documentation: `/openapi.json`, and `/docs` (Swagger UI) and `/redoc` with all their assets.

Nothing is fetched from another host, so both pages work without internet and under a strict policy.
"""

import functools
import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_OURS = Path(__file__).parent / "api_docs_static"

# fastapi-offline carries the bundles of both tools; found by its metadata, so that none of its code runs.
_THEIRS = "fastapi_offline/static"

_TYPES = {
    ".json": "application/json",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml; charset=utf-8",
}

# ReDoc signs its menu with a remote picture. One that cannot be decoded makes it leave the picture out.
_REMOTE_LOGO, _NO_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg", b"data:,"

_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Swagger UI styles its elements from scripts only, which a policy does not count as inline style.
_SWAGGER_POLICY = f"{_POLICY}; style-src 'self'"
# ReDoc writes its theme into <style> elements, and builds its search index in a worker started from a blob.
_REDOC_POLICY = f"{_POLICY}; style-src 'unsafe-inline'; worker-src blob:"


@dataclass(frozen=True)
class _Asset:
    body: bytes
    media_type: str
    etag: str


def install(app: FastAPI) -> None:
    """Add the pages and their assets. Everything is read here, so a missing file stops the start."""
    assets = _assets()
    swagger = (_OURS / "swagger.html").read_bytes()
    redoc = (_OURS / "redoc.html").read_bytes()
    redirect = (_OURS / "oauth2-redirect.html").read_bytes()

    async def show_swagger(_request: Request) -> Response:
        return HTMLResponse(swagger, headers={"Content-Security-Policy": _SWAGGER_POLICY})

    async def show_redoc(_request: Request) -> Response:
        return HTMLResponse(redoc, headers={"Content-Security-Policy": _REDOC_POLICY})

    async def show_redirect(_request: Request) -> Response:
        return HTMLResponse(redirect, headers={"Content-Security-Policy": _POLICY})

    async def send_asset(request: Request) -> Response:
        asset = assets.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404)
        return _send(request, asset, "public, max-age=86400")

    @functools.cache
    def document() -> _Asset:
        return _asset(json.dumps(app.openapi(), ensure_ascii=False, separators=(",", ":")).encode(), ".json")

    async def send_document(request: Request) -> Response:
        return _send(request, await run_in_threadpool(document), "no-cache")

    # The pages name their assets and the specification by relative URLs: that covers any root_path.
    app.add_route("/openapi.json", send_document, include_in_schema=False)
    app.add_route("/docs", show_swagger, include_in_schema=False)
    app.add_route("/redoc", show_redoc, include_in_schema=False)
    app.add_route("/docs/oauth2-redirect", show_redirect, include_in_schema=False)
    app.add_route("/docs/assets/{name}", send_asset, include_in_schema=False)


@functools.cache
def _assets() -> dict[str, _Asset]:
    theirs = Path(str(distribution("fastapi-offline").locate_file(_THEIRS)))
    return {
        "favicon.svg": _read(_OURS / "favicon.svg"),
        "oauth2-redirect.js": _read(_OURS / "oauth2-redirect.js"),
        "redoc.js": _read(_OURS / "redoc.js"),
        "swagger.js": _read(_OURS / "swagger.js"),
        "redoc.standalone.js": _read(theirs / "redoc.standalone.js"),
        "swagger-ui-bundle.js": _read(theirs / "swagger-ui-bundle.js"),
        "swagger-ui.css": _read(theirs / "swagger-ui.css"),
    }


def _read(path: Path) -> _Asset:
    return _asset(path.read_bytes().replace(_REMOTE_LOGO, _NO_LOGO), path.suffix)


def _asset(body: bytes, suffix: str) -> _Asset:
    return _Asset(body, _TYPES[suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _send(request: Request, asset: _Asset, cache_control: str) -> Response:
    headers = {"Cache-Control": cache_control, "ETag": asset.etag}
    # A proxy that compresses may have weakened the tag.
    known = request.headers.get("if-none-match", "").split(",")
    if any(tag.strip().removeprefix("W/") in {asset.etag, "*"} for tag in known):
        return Response(status_code=304, headers=headers)
    return Response(asset.body, media_type=asset.media_type, headers=headers)
