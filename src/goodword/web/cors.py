"""CORS for the API: scripts of the configured origins may call it."""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Scope

EXPOSED = (
    "Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id"
)
ACCEPTED = "Accept-Language, Authorization, Content-Type, Idempotency-Key"
MAX_AGE = "600"


class Cors:
    """The CORS headers of the Fetch standard for configured origins.

    Credentials are not allowed: other sites send a token, and only pages of this service use cookies. A preflight
    reaches the router, whose 405 lists the methods of the path. An unknown path or host is refused as usual.
    """

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origins)

    def add_headers(self, scope: Scope, start: Message) -> bool:
        """Add them to the start of a response. Return whether it answers a preflight, and so has no body."""
        request, response = Headers(scope=scope), MutableHeaders(scope=start)
        response.add_vary_header("Origin")
        given = request.getlist("origin")
        if len(given) != 1 or given[0] not in self._origins:
            return False
        response["access-control-allow-origin"] = given[0]
        response["access-control-expose-headers"] = EXPOSED
        is_preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in request
        if not is_preflight or start["status"] != 405:
            return False
        start["status"] = 204
        response["access-control-allow-methods"] = response["allow"]
        response["access-control-allow-headers"] = ACCEPTED
        response["access-control-max-age"] = MAX_AGE
        del response["content-length"], response["content-type"]
        return True
