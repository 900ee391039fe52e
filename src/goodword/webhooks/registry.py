"""The enabled endpoints, which each process keeps in memory: without any, an event costs nothing."""

import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.cache.lookup_cache import HERE
from goodword.cache.memory import CacheEntry, InvalidationTable, LocalCache
from goodword.db import transaction_hooks
from goodword.db.database import Database
from goodword.webhooks.models import EndpointStatus, WebhookEndpoint

CACHE_KEY = f"{HERE}webhook-endpoints"
REMEMBERED = 0.5
"""Seconds that the endpoints are kept. A node without Redis notices a new one after this time."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """The events that an endpoint gets."""

    endpoint_id: uuid.UUID
    program_id: uuid.UUID | None
    kinds: frozenset[str]


class Subscriptions:
    """Finds the endpoints that get a kind of event. There are few, so that each process keeps all of them."""

    def __init__(
        self, database: Database, invalidations: InvalidationTable, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._cache: LocalCache[Sequence[Subscription]] = LocalCache(invalidations, clock, seconds=REMEMBERED)

    async def wanting(self, kind: str) -> Sequence[Subscription]:
        """Return the enabled endpoints that get this kind, of all programs."""
        known = await self._cache.get(CACHE_KEY, self._load, invalidated_by=CACHE_KEY)
        return [one for one in known if kind in one.kinds] if known else ()

    async def _load(self) -> CacheEntry[Sequence[Subscription]]:
        rows = await self._database.rows(_ENABLED)
        found = [Subscription(row.id, row.program_id, frozenset(row.kinds.split())) for row in rows]
        return CacheEntry(found, math.inf)


def invalidate(session: AsyncSession) -> None:
    """Invalidate the endpoints in memory when the transaction commits."""
    transaction_hooks.invalidate(session, CACHE_KEY)


_ENABLED = (
    select(WebhookEndpoint.id, WebhookEndpoint.program_id, WebhookEndpoint.kinds)
    .where(WebhookEndpoint.status == EndpointStatus.ENABLED.value, WebhookEndpoint.deleted_at.is_(None))
    .order_by(WebhookEndpoint.id)
)
