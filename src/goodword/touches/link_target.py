"""The address to which a link leads: the link target of a program, filled in."""

import uuid
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

from goodword.programs.fields import PLACEHOLDER

TOUCH = "{touch}"


class _Target(NamedTuple):
    with_touch: str
    with_code: str
    without: str


def fill(target: str, code: str, touch_id: uuid.UUID | None) -> str:
    """Return the address with the code, and with the query parameter `touch` if the click was recorded."""
    target = _read(target).with_code if touch_id is None else _read(target).with_touch
    return target.replace(TOUCH, str(touch_id)).replace(PLACEHOLDER, quote(code, safe=""))


def without_code(target: str) -> str:
    """Return the address without the query parameter, or the part of the path, that holds the code."""
    return _read(target).without


@lru_cache(256)
def _read(target: str) -> _Target:
    """Return the forms of a target. The query is not decoded: its order, blank values and encoding stay."""
    url = urlsplit(target)
    join = "&" if url.query and not url.query.endswith("&") else ""
    path = "/".join(part for part in url.path.split("/") if PLACEHOLDER not in part)
    query = "&".join(part for part in url.query.split("&") if PLACEHOLDER not in part)
    return _Target(
        with_touch=urlunsplit(url._replace(query=f"{url.query}{join}touch={TOUCH}")),
        with_code=target,
        without=urlunsplit(url._replace(path=path or "/", query=query)),
    )
