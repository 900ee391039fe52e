"""Other sites whose scripts may call the API: those that are named, to the letter."""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

EXPOSED = (
    "Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id"
)
ACCEPTED = "Accept-Language, Authorization, Content-Type, Idempotency-Key"
REMEMBERED = "600"


class CorsMiddleware:
    """The headers of the Fetch standard for named origins; others are answered as if there were none.

    Never with credentials: other sites call with a token, and cookies are for our own pages. A preflight is
    asked of the service like anything else: its 405 names the methods of the path, which is what was asked, so
    a path that is not there, or a host that is not ours, is refused as ever.
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
        cut = False

        async def dressed_send(message: Message) -> None:
            nonlocal cut
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer.add_vary_header("Origin")
                if origin is not None:
                    answer["access-control-allow-origin"] = origin
                    answer["access-control-expose-headers"] = EXPOSED
                    if is_preflight and message["status"] == 405:
                        cut = True
                        message["status"] = 204
                        answer["access-control-allow-methods"] = answer["allow"]
                        answer["access-control-allow-headers"] = ACCEPTED
                        answer["access-control-max-age"] = REMEMBERED
                        del answer["content-length"], answer["content-type"]
            elif cut:
                message = {**message, "body": b""}
            await send(message)

        await self.app(scope, receive, dressed_send)
