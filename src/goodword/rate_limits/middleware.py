"""Middleware that counts every request of a network."""

from collections.abc import Callable

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from goodword.errors import AppError
from goodword.rate_limits.limiter import Limiter, RateLimited

PROBES = {"/livez", "/readyz"}
"""Health probes are exempt."""
LOOK_UPS = ("/api/v1/referral-codes/", "/r/")


class RateLimitMiddleware:
    """Counts every other request of a network together. `refuse` builds the response."""

    def __init__(
        self, app: ASGIApp, *, limiter: Limiter, refuse: Callable[[Request, AppError], Response]
    ) -> None:
        self.app, self.limiter, self.refuse = app, limiter, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: ASGIApp = self.app
        if scope["type"] == "http" and not _counts_elsewhere(scope["path"]):
            try:
                self.limiter.count(scope, "requests")
            except RateLimited as error:
                answer = self.refuse(Request(scope), error)
        await answer(scope, receive, send)


def _counts_elsewhere(path: str) -> bool:
    """Return whether a request is exempt, or counted by `before_lookup`."""
    for prefix in LOOK_UPS:
        if path.startswith(prefix):
            rest = path[len(prefix) :]
            return rest != "" and "/" not in rest
    return path in PROBES
