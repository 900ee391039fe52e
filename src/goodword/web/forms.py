"""How forms and query strings are read: strictly, each parameter once; and where a form may lead to."""

import re
from collections import Counter
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request

from goodword.errors import BadRequest
from goodword.services import services_of

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 32

_LOCAL_PATH = re.compile(r"(?:/(?!/)[!\"$-.0->@-\[\]-~]*)+(?:[?#][!-\[\]-~]*)?")
"""A path in visible ASCII without empty segments or backslashes: browsers read `//host` and `/\\host` as another host."""


class FormInvalid(BadRequest):
    code, detail = "form_invalid", f"Send the parameters as {FORM} in UTF-8."


class ParameterRepeated(FormInvalid):
    """Two values for one name: a proxy and we might each believe another one."""

    code, detail = "parameter_repeated", "A parameter is repeated."

    def __init__(self, parameters: dict[str, str]) -> None:
        super().__init__()
        self.parameters = parameters
        """Those that are not repeated."""


def parse(text: bytes) -> dict[str, str]:
    """The parameters, those without a value left out (RFC 6749 §3.1). Raises `FormInvalid`."""
    try:
        pairs = parse_qsl(text.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise FormInvalid from None
    counts = Counter(name for name, _ in pairs)
    once = {name: value for name, value in pairs if counts[name] == 1 and value}
    if counts.total() > len(counts):
        raise ParameterRepeated(once)
    return once


async def read_form(request: Request) -> dict[str, str]:
    """The parameters of a form body. Raises `FormInvalid`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise FormInvalid
    return parse(await request.body())


def local_path(text: str | None) -> str:
    """Return `text` if it is a path of this service, else `/` (RFC 9700 §4.11: no open redirectors)."""
    return text if text and _LOCAL_PATH.fullmatch(text) else "/"


def is_from_here(request: Request) -> bool:
    """Whether a form was sent by a page of ours, as far as the browser tells.

    `Sec-Fetch-Site` and `Origin` cannot be written by another site. A client that sends neither is no browser
    of this decade, and carries nobody's cookies.
    """
    origin = request.headers.get("origin")
    public = urlsplit(services_of(request).settings.public_url).netloc
    return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none") and (
        origin is None or origin.partition("://")[2] in (request.headers.get("host"), public)
    )
