"""Dependencies that count a request against a rate limit."""

from typing import Any

from fastapi import Depends, Request
from starlette.types import Scope

from goodword.rate_limits.limiter import Limiter
from goodword.services import services_of


def limited(name: str) -> Any:
    """What an endpoint depends on to be limited by network."""

    async def count(request: Request) -> None:
        await _of(request.scope).hit(request.scope, name)

    count.limit = name  # type: ignore[attr-defined]
    return Depends(count)


async def count_email(request: Request, kind: str, address_key: str) -> None:
    """Somebody asks for a letter to an address. Counted alike whether or not there is an account for it."""
    await _of(request.scope).hit(request.scope, "email-to", f"{kind} {address_key}")


async def count_write(request: Request, user_id: object) -> None:
    """Somebody who is signed in changes something."""
    await _of(request.scope).hit(request.scope, "write", f"account {user_id}")


async def count_app(request: Request, client_id: str) -> None:
    """An app has proven who it is. Its name alone, which anybody can send, is not counted."""
    await _of(request.scope).hit(request.scope, "app", f"app {client_id}")


def before_lookup(scope: Scope) -> None:
    """Count a look-up of a code. Whoever found nothing too often is refused before anything is looked at."""
    limiter = _of(scope)
    limiter.check(scope, "look-up-missing")
    limiter.count(scope, "look-up")


async def after_lookup(scope: Scope, *, found: bool) -> None:
    """Count what found nothing. Of many at once, what finds something is told as long as what does not."""
    limiter = _of(scope)
    if found:
        limiter.check(scope, "look-up-missing")
    else:
        await limiter.hit(scope, "look-up-missing")


def _of(scope: Scope) -> Limiter:
    return services_of(scope).rate_limiter
