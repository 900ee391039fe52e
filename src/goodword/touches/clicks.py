"""Clicks on referral links: which requests are a person's, and where they come from."""

import uuid
from datetime import datetime

from fastapi import Request

from goodword import ip_address
from goodword.services import services_of
from goodword.touches import robots
from goodword.touches.linked_codes import LinkedCode
from goodword.touches.models import TouchKind
from goodword.web import hosts
from goodword.web.request_context import IS_HEAD

PURPOSES = frozenset({"purpose", "sec-purpose", "x-purpose", "x-moz"})
"""Headers by which browsers mark a request that they make before, or without, a click."""
EARLY = ("prefetch", "prerender", "preview")


def record(request: Request, linked: LinkedCode, *, now: datetime) -> uuid.UUID | None:
    """Record a click, and return the id of the touch. Return None for a request that no person made."""
    headers = request.headers
    user_agent = headers.get("user-agent", "")
    if IS_HEAD in request.scope["state"] or robots.is_robot(user_agent) or _is_early(request):
        return None
    services, client = services_of(request), request.scope.get("client")
    referer = headers.get("referer")
    host = hosts.host_of(referer) if referer else None
    return services.touches.record(
        code_id=linked.id,
        program_id=linked.program_id,
        kind=TouchKind.CLICK,
        network=ip_address.network(client[0] if client else ""),
        user_agent=user_agent,
        host=None if host == hosts.host_of(services.settings.public_url) else host,
        now=now,
    )


def _is_early(request: Request) -> bool:
    return any(
        mark in value.lower() for name in PURPOSES if (value := request.headers.get(name)) for mark in EARLY
    )
