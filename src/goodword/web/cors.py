"""CORS for the API: scripts of the configured origins may call it."""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Scope

from goodword.web.request_context import READS

EXPOSED = (
    "Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id"
)
ACCEPTED = "Accept-Language, Authorization, Content-Type, Idempotency-Key"
MAX_AGE = "600"

EMBED_PATHS = frozenset(
    f"/api/v1/me/{name}"
    for name in ("referral-codes", "referrals", "referral-stats", "rewards", "reward-balances")
)
"""What `embed.js` reads in pages of EMBED_ORIGINS."""
EMBED_METHODS, EMBED_ACCEPTED = "GET, HEAD", "Authorization"


class Cors:
    """The CORS headers of the Fetch standard for configured origins. Those of `embedding` may read `EMBED_PATHS` only.

    Credentials are not allowed: other sites send a token, and only pages of this service use cookies. A preflight
    reaches the router, whose 405 lists the methods of the path. An unknown path or host is refused as usual.
    """

    def __init__(self, origins: Collection[str], embedding: Collection[str] = ()) -> None:
        self._origins, self._embedding = frozenset(origins), frozenset(embedding) - frozenset(origins)

    def add_headers(self, scope: Scope, start: Message) -> bool:
        """Add them to the start of a response. Return whether it answers a preflight, and so has no body."""
        request, response = Headers(scope=scope), MutableHeaders(scope=start)
        if response.get("access-control-allow-origin") == "*":
            return False  # a file for the pages of all origins
        response.add_vary_header("Origin")
        given = request.getlist("origin")
        if len(given) != 1:
            return False
        is_preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in request
        is_embed = (
            given[0] in self._embedding
            and scope["path"] in EMBED_PATHS
            and (is_preflight or scope["method"] in READS)
        )
        if not is_embed and given[0] not in self._origins:
            return False
        response["access-control-allow-origin"] = given[0]
        response["access-control-expose-headers"] = EXPOSED
        if not is_preflight or start["status"] != 405:
            return False
        start["status"] = 204
        response["access-control-allow-methods"] = EMBED_METHODS if is_embed else response["allow"]
        response["access-control-allow-headers"] = EMBED_ACCEPTED if is_embed else ACCEPTED
        response["access-control-max-age"] = MAX_AGE
        del response["content-length"], response["content-type"]
        return True
