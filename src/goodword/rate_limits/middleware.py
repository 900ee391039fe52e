"""Middleware that counts every request of a network."""

import re
from collections.abc import Callable

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from goodword.errors import AppError
from goodword.rate_limits.limiter import Limiter, RateLimited

HEALTH_PATHS = frozenset({"/livez", "/readyz"})
"""Health probes are exempt, also from the limits and the check of `Host` in `RequestGuard`."""
LOOK_UPS = re.compile(r"/[rR]/.*|/api/v1/referral-codes/(?:.*/[rR]/)?[^/]+(?:/\W*)?", re.DOTALL)
"""The paths of look-ups. A code in a path can be a whole link."""


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
    return path in HEALTH_PATHS or LOOK_UPS.fullmatch(path) is not None
