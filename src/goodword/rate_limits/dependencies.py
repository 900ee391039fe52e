"""Dependencies that count a request against a rate limit."""

import re
from typing import Any

from fastapi import Depends, Request
from starlette.types import Scope

from goodword.rate_limits.limiter import Limiter
from goodword.services import services_of

BY_CODE, BY_EMAIL = "look-up-missing", "look-up-email-missing"
"""The limits for look-ups that find nothing. The one by address is strict: it protects who has an account here."""
LOOK_UPS = re.compile(r"/[rR]/.*|/api/v1/referral-codes/(?!validate\Z)(?:.*/[rR]/)?[^/]+(?:/\W*)?", re.DOTALL)
"""The paths of look-ups. A code in a path can be a whole link. A validation for a visitor counts later as a look-up."""


def limited(name: str) -> Any:
    """Return the dependency that limits an endpoint by network."""

    async def count(request: Request) -> None:
        await _of(request.scope).hit(request.scope, name)

    count.limit = name  # type: ignore[attr-defined]
    return Depends(count)


async def count_email(request: Request, kind: str, address_key: str) -> None:
    """Count a request for an e-mail to an address, alike with and without an account."""
    await _of(request.scope).hit(request.scope, "email-to", f"{kind} {address_key}")


async def count_write(request: Request, user_id: object) -> None:
    """Count a write of a signed-in user."""
    await _of(request.scope).hit(request.scope, "write", f"account {user_id}")


async def count_server_write(request: Request, caller: str) -> None:
    """Count a write of a server, by its API key or client id."""
    await _of(request.scope).hit(request.scope, "server-write", f"server {caller}")


async def count_app(request: Request, client_id: str) -> None:
    """Count a request of an authenticated client. An unproven client id is not counted."""
    await _of(request.scope).hit(request.scope, "app", f"app {client_id}")


def is_counted_as_lookup(path: str) -> bool:
    """Return whether `before_lookup` counts the requests for a path. All others count as `requests`."""
    return LOOK_UPS.fullmatch(path) is not None


def before_lookup(scope: Scope, *, missing: str = BY_CODE) -> None:
    """Count a look-up. Refuse it before the look-up once the limit `missing` for misses is reached."""
    limiter = _of(scope)
    limiter.check(scope, missing)
    limiter.count(scope, "look-up")


async def after_lookup(scope: Scope, *, found: bool, missing: str = BY_CODE) -> None:
    """Count a miss. Hits are refused too once the limit `missing` for misses is reached."""
    limiter = _of(scope)
    if found:
        limiter.check(scope, missing)
    else:
        await limiter.hit(scope, missing)


def _of(scope: Scope) -> Limiter:
    return services_of(scope).rate_limiter
