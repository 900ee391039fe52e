"""API documentation: `/openapi.json`, Swagger UI at `/docs` and ReDoc at `/redoc`, with their assets.

Both pages load nothing from other hosts, so they work offline and with a strict content security policy.
"""

import functools
import json
import re
from collections.abc import Mapping
from html import escape
from importlib.metadata import distribution
from pathlib import Path

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from goodword.web import static_files
from goodword.web.static_files import StaticFile

_STATIC = Path(__file__).parent / "api_docs_static"

# fastapi-offline contains the assets of both tools. Its metadata locates them without running its code.
_BUNDLES = "fastapi_offline/static"

# ReDoc shows a remote logo in its menu, and omits a logo that cannot be decoded.
_REMOTE_LOGO, _NO_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg", b"data:,"

_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Swagger UI sets styles from scripts, which is not inline style for a policy.
_SWAGGER_POLICY = f"{_POLICY}; style-src 'self'"
# ReDoc uses <style> elements, and builds its search index in a worker from a blob.
_REDOC_POLICY = f"{_POLICY}; style-src 'unsafe-inline'; worker-src blob:"


def install(app: FastAPI, *, brand: str, icon: str) -> None:
    """Add the pages and their assets. Files are read here, so the application does not start without one.

    The pages show the name `brand`, and the icon at the path `icon` relative to them.
    """
    assets = _assets()
    swagger, redoc, redirect = (
        _page(name, assets, brand=escape(brand), icon=icon)
        for name in ("swagger.html", "redoc.html", "oauth2-redirect.html")
    )

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
        return await static_files.send(request, asset)

    @functools.cache
    def document() -> StaticFile:
        text = json.dumps(app.openapi(), ensure_ascii=False, separators=(",", ":"))
        return StaticFile.create(text.encode(), ".json")

    async def send_document(request: Request) -> Response:
        return await static_files.send(request, await run_in_threadpool(document), cache_control="no-cache")

    # The pages use relative URLs, which work with any root_path.
    app.add_route("/openapi.json", send_document, include_in_schema=False)
    app.add_route("/docs", show_swagger, include_in_schema=False)
    app.add_route("/redoc", show_redoc, include_in_schema=False)
    app.add_route("/docs/oauth2-redirect", show_redirect, include_in_schema=False)
    app.add_route("/docs/assets/{name}", send_asset, include_in_schema=False)


@functools.cache
def _assets() -> dict[str, StaticFile]:
    bundles = Path(str(distribution("fastapi-offline").locate_file(_BUNDLES)))
    return {
        "oauth2-redirect.js": _read(_STATIC / "oauth2-redirect.js"),
        "redoc.js": _read(_STATIC / "redoc.js"),
        "swagger.js": _read(_STATIC / "swagger.js"),
        "redoc.standalone.js": _read(bundles / "redoc.standalone.js"),
        "swagger-ui-bundle.js": _read(bundles / "swagger-ui-bundle.js"),
        "swagger-ui.css": _read(bundles / "swagger-ui.css"),
    }


def _page(name: str, assets: Mapping[str, StaticFile], **values: str) -> str:
    """Return a page with these values, in which the URLs of assets have their versions."""
    text = (_STATIC / name).read_text()
    for placeholder, value in values.items():
        text = text.replace(f"{{{placeholder}}}", value)
    return re.sub(
        r'(?<=assets/)([\w.-]+)(?=")', lambda found: f"{found[1]}?v={assets[found[1]].version}", text
    )


def _read(path: Path) -> StaticFile:
    return StaticFile.create(path.read_bytes().replace(_REMOTE_LOGO, _NO_LOGO), path.suffix)
