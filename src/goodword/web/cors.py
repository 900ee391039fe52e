"""CORS for the API: scripts of the configured origins may call it."""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

EXPOSED = (
    "Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id"
)
ACCEPTED = "Accept-Language, Authorization, Content-Type, Idempotency-Key"
MAX_AGE = "600"


class CorsMiddleware:
    """Adds the CORS headers of the Fetch standard for configured origins.

    Credentials are not allowed: other sites send a token, and only pages of this service use cookies. A preflight
    reaches the router, whose 405 lists the methods of the path. An unknown path or host is refused as usual.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        self.app = app
        self.origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.getlist("origin")
        origin = given[0] if len(given) == 1 and given[0] in self.origins else None
        is_preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        drop_body = False

        async def send_with_headers(message: Message) -> None:
            nonlocal drop_body
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer.add_vary_header("Origin")
                if origin is not None:
                    answer["access-control-allow-origin"] = origin
                    answer["access-control-expose-headers"] = EXPOSED
                    if is_preflight and message["status"] == 405:
                        drop_body = True
                        message["status"] = 204
                        answer["access-control-allow-methods"] = answer["allow"]
                        answer["access-control-allow-headers"] = ACCEPTED
                        answer["access-control-max-age"] = MAX_AGE
                        del answer["content-length"], answer["content-type"]
            elif drop_body:
                message = {**message, "body": b""}
            await send(message)

        await self.app(scope, receive, send_with_headers)
