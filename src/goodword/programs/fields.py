"""The types of the fields of a program."""

import re
from functools import cache
from importlib.resources import files
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from goodword.money import all_decimals
from goodword.web.schemas import Name

SLUG = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
RESERVED = frozenset({"all", "new", "none", "null", "undefined"})
"""`new` is a page, and the others are what clients send by mistake."""
PLACEHOLDER = "{code}"
DAY = 24 * 60 * 60
_HOST = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.?|\[[0-9a-f:.]+\]"
_AUTHORITY = re.compile(rf"(?:{_HOST})(?::[0-9]{{1,5}})?", re.ASCII | re.IGNORECASE)
_CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~:/?#@!$&'()*+,;=\-]|\[|\]|%[0-9A-Fa-f]{2}|\{code\})+", re.ASCII)
"""Those of a URI (RFC 3986 §2), and the placeholder."""


def _slug(text: str) -> str:
    if not re.fullmatch(SLUG, text, re.ASCII):
        raise PydanticCustomError(
            "slug_invalid", "Use 1 to 63 of a–z, 0–9 and hyphens, and no hyphen at the beginning or the end."
        )
    if text in RESERVED:
        raise PydanticCustomError("slug_reserved", "This slug is reserved. Choose another.")
    return text


def _currency(text: str) -> str:
    if text not in _currencies():
        raise PydanticCustomError("currency_invalid", "Send a currency code of ISO 4217, such as USD.")
    return text


@cache
def _currencies() -> frozenset[str]:
    return frozenset(all_decimals())


def _time_zone(text: str) -> str:
    if text not in _time_zones():
        raise PydanticCustomError(
            "time_zone_invalid", "Send a name of the IANA time zone database, such as Europe/Berlin."
        )
    return text


@cache
def _time_zones() -> frozenset[str]:
    # Not `zoneinfo.available_timezones`, which opens the hundreds of files of the system, if it has any.
    return frozenset((files("tzdata") / "zones").read_text("ascii").split())


def _link_target(text: str) -> str:
    """Return the address. The placeholder is in the path or the query, so that the host is fixed."""
    try:
        parts = urlsplit(text)
        _ = parts.hostname, parts.port
    except ValueError:
        parts = urlsplit("")
    is_url = (
        parts.scheme in ("http", "https")
        and _AUTHORITY.fullmatch(parts.netloc)
        and text.count("#") <= 1
        and _CHARACTERS.fullmatch(text.replace("{", "").replace("}", ""))
    )
    if not is_url:
        raise PydanticCustomError(
            "link_target_invalid", "Send an absolute http or https URL in ASCII, without a user name."
        )
    if text.count(PLACEHOLDER) != 1 or not _CHARACTERS.fullmatch(text) or PLACEHOLDER in parts.fragment:
        raise PydanticCustomError(
            "link_target_placeholder",
            "The URL must contain {code} once, in the path or the query, and no other braces.",
        )
    return text


Slug = Annotated[
    str,
    AfterValidator(_slug),
    WithJsonSchema({"type": "string", "pattern": f"^{SLUG}$", "not": {"enum": sorted(RESERVED)}}),
]
ProgramName = Name
Currency = Annotated[str, Field(max_length=3), AfterValidator(_currency)]
TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_time_zone)]
LinkTarget = Annotated[str, Field(max_length=2000), AfterValidator(_link_target)]
CodeLifetime = Annotated[int, Field(ge=60, le=366 * DAY)]
Period = Annotated[int, Field(ge=0, le=400 * DAY)]
