"""Checks of the endpoints of webhooks."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import bindparam, or_, select

from goodword.doctor.findings import Check, Finding, Level, note, ok, warning
from goodword.doctor.installation import Installation
from goodword.webhooks.models import DisabledReason, EndpointStatus, WebhookEndpoint

LONG = timedelta(hours=1)


async def check_endpoints(installation: Installation) -> Finding:
    await installation.migrated()
    rows = await installation.rows(_TROUBLED, since=installation.now() - LONG)
    disabled = [row for row in rows if row.disabled_reason not in (None, DisabledReason.REQUESTED)]
    failing = [row for row in rows if row.disabled_reason is None]
    texts = []
    if disabled:
        texts.append(f"Disabled because it is gone or fails: {_named(disabled)}.")
    if failing:
        texts.append(f"No delivery has succeeded for an hour: {_named(failing)}.")
    if texts:
        return warning(" ".join(texts))
    if rows:
        return note(f"Disabled on request: {_named(rows)}.")
    return ok("No endpoint is disabled or fails.")


def _named(rows: Iterable[Any]) -> str:
    """Return the hosts and ids of endpoints. The rest of a URL can be secret."""
    return ", ".join(f"{urlsplit(row.url).hostname} {row.id}" for row in rows)


_TROUBLED = (
    select(WebhookEndpoint.id, WebhookEndpoint.url, WebhookEndpoint.disabled_reason)
    .where(
        WebhookEndpoint.deleted_at.is_(None),
        or_(
            WebhookEndpoint.status == EndpointStatus.DISABLED.value,
            WebhookEndpoint.failing_since <= bindparam("since", type_=WebhookEndpoint.failing_since.type),
        ),
    )
    .order_by(WebhookEndpoint.id)
)
CHECKS: Sequence[Check] = (
    Check(
        id="webhooks",
        title="No webhook endpoint is disabled, or has failed for an hour",
        remedy="See the deliveries on the page *Webhooks*, correct the server, and enable the endpoint or delete it.",
        level=Level.WARNING,
        run=check_endpoints,
    ),
)
