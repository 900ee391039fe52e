"""How a page is made: templates, the policy that guards it, and the few files that it is shown with."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException

HERE = Path(__file__).parent
TYPES = {".css": "text/css", ".svg": "image/svg+xml"}
POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"

router = APIRouter(include_in_schema=False)
templates = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class _File:
    body: bytes
    media_type: str
    etag: str


def _file(path: Path) -> _File:
    body = path.read_bytes()
    return _File(body, TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:16])


_FILES = {path.name: _file(path) for path in sorted((HERE / "static").iterdir())}


def link(request: Request, path: str) -> str:
    """A path as the browser sees it: behind a proxy the service may stand below another path."""
    below: str = urlsplit(request.app.state.settings.public_url).path
    return below + path


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    leads_elsewhere: bool = False,
    **values: Any,
) -> Response:
    """An HTML page. `leads_elsewhere`: its form ends, through redirects, at the address of an app.

    Chromium holds every redirect after a form against `form-action`, those that the app adds too. Nobody
    knows them, so such a page goes without; all that it shows is escaped, and it runs no script.
    """
    policy = POLICY if leads_elsewhere else f"{POLICY}; form-action 'self'"
    text = templates.get_template(template).render(
        link=lambda path: link(request, path),
        file=lambda name: link(request, f"/pages/{name}?v={_FILES[name].etag}"),
        **values,
    )
    # Under `no-referrer` browsers hide the origin of a form, which `forms.is_from_here` looks at.
    own = {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"}
    return HTMLResponse(text, status, {**(headers or {}), **own})


def refusal(request: Request, status: int, title: str, text: str) -> Response:
    """A page that says what went wrong, to a person."""
    return page(
        request, "error.html", status=status, title=title, text=text, request_id=request.state.request_id
    )


def see_other(url: str) -> Response:
    """On to the next page. 303, so that no browser sends a password along (RFC 9700 §4.12)."""
    return RedirectResponse(url, 303)


@router.get("/pages/{name}")
async def send_file(name: str, request: Request) -> Response:
    found = _FILES.get(name)
    if found is None:
        raise HTTPException(404)
    tag = f'"{found.etag}"'
    headers = {"Cache-Control": "public, max-age=86400", "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):  # a proxy that compresses may have put W/ before it
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type=found.media_type, headers=headers)
