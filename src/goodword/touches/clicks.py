"""Clicks on referral links: which requests are a person's, and where they come from."""

import re
import uuid
from collections.abc import Mapping
from datetime import datetime

from fastapi import Request

from goodword import ip_address
from goodword.services import services_of
from goodword.touches import robots
from goodword.touches.linked_codes import LinkedCode
from goodword.touches.models import TouchKind
from goodword.web import hosts
from goodword.web.request_context import IS_HEAD

PURPOSES = frozenset({b"purpose", b"sec-purpose", b"x-purpose", b"x-moz"})
"""Headers by which browsers mark a request that they make before, or without, a click."""
EARLY = re.compile(rb"prefetch|prerender|preview", re.IGNORECASE)
READ = PURPOSES | {b"user-agent", b"referer"}


def record(request: Request, linked: LinkedCode, *, now: datetime) -> uuid.UUID | None:
    """Record a click, and return the id of the touch. Return None for a request that no person made."""
    scope = request.scope
    if IS_HEAD in scope["state"]:
        return None
    headers = {name: value for name, value in scope["headers"] if name in READ}  # in one pass
    user_agent = headers.get(b"user-agent", b"").decode("latin-1")
    if robots.is_robot(user_agent) or _is_early(headers):
        return None
    services, client = services_of(request), scope.get("client")
    referer = headers.get(b"referer")
    host = hosts.host_of(referer.decode("latin-1")) if referer else None
    return services.touches.record(
        code_id=linked.id,
        program_id=linked.program_id,
        kind=TouchKind.CLICK,
        network=ip_address.network(client[0] if client else ""),
        user_agent=user_agent,
        host=None if host == hosts.host_of(services.settings.public_url) else host,
        now=now,
    )


def _is_early(headers: Mapping[bytes, bytes]) -> bool:
    return any(EARLY.search(value) for name, value in headers.items() if name in PURPOSES)
