"""Form bodies, and checks of their origin and of redirect targets."""

import re
from urllib.parse import urlsplit

from fastapi import Request

from goodword.services import services_of
from goodword.web.urlencoded import FORM, FormInvalid, parse

_LOCAL_PATH = re.compile(r"(?:/(?!/)[!\"$-.0->@-\[\]-~]*)+(?:[?#][!-\[\]-~]*)?")
"""A path in visible ASCII without empty segments or backslashes: browsers read `//host` and `/\\host` as another host."""


def is_form(request: Request) -> bool:
    """Return whether the body of a request is a form."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM


async def read_form(request: Request) -> dict[str, str]:
    """Return the parameters of a form body. Raises `FormInvalid`."""
    if not is_form(request):
        raise FormInvalid
    return parse(await request.body())


def local_path(request: Request, text: str | None) -> str:
    """Return `text` if it is a path of this service, else the home page (RFC 9700 §4.11: no open redirectors)."""
    home = f"{services_of(request).settings.base_path}/"
    return text if text and text.startswith(home) and _LOCAL_PATH.fullmatch(text) else home


def is_from_here(request: Request) -> bool:
    """Return whether a page of this service sent the form.

    Another site cannot set `Sec-Fetch-Site` or `Origin`. Current browsers send them; other clients have no cookies.
    """
    origin = request.headers.get("origin")
    public = urlsplit(services_of(request).settings.public_url).netloc
    return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none") and (
        origin is None or origin.partition("://")[2] in (request.headers.get("host"), public)
    )
