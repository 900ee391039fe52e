"""What responses and the log have in common: the standard headers and the names of routes."""

from starlette.types import Scope

READS = {"GET", "HEAD"}

IS_HEAD = "head"
"""In the state of a HEAD request, which the application sees as a GET."""
STOPPING = "stopping"
"""In the state of requests of a process that is being stopped."""

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
HSTS = {"strict-transport-security": "max-age=63072000; includeSubDomains"}


def standard_headers(*, https: bool) -> list[tuple[bytes, bytes]]:
    """Return the headers of every response that does not set them itself."""
    headers = {**HEADERS, **HSTS} if https else HEADERS
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def route_of(scope: Scope) -> str:
    # The template, because paths and queries contain codes and addresses.
    return getattr(scope.get("route"), "path_format", "-")
