"""Names of hosts in one form."""

import re
from functools import lru_cache
from urllib.parse import urlsplit

import idna

MAX_LENGTH = 255
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:.]+", re.ASCII)
"""A name, or an IP address."""


def to_ascii(host: str) -> str:
    """Return a name in ASCII by IDNA 2008, in lower case. Raises `ValueError` if it cannot be one.

    Python's codec implements IDNA 2003, which turns faß.de into fass.de.
    """
    host = host.lower()
    return host if host.isascii() else idna.encode(host, uts46=True).decode()


@lru_cache(1024)
def host_of(url: str) -> str | None:
    """Return the host of a web address without its port, or None if there is none."""
    try:
        parts = urlsplit(url)
        host = to_ascii(parts.hostname or "").rstrip(".")
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or len(host) > MAX_LENGTH or not _HOST.fullmatch(host):
        return None
    return host
