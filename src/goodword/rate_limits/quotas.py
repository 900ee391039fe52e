"""Quotas: limits that are counted exactly, in the transaction of what they limit.

The rate limiter counts requests in memory, for speed. A quota is a row of the database: no concurrent requests
exceed it, and a transaction that is rolled back does not count.
"""

import math
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.crypto import hmac_of
from goodword.db.statements import insert_if_absent
from goodword.errors import TooManyRequests
from goodword.rate_limits.models import Quota
from goodword.services import Services


class QuotaExceeded(Exception):
    """Raised by `take` when the quota is used up until `ends_at`."""

    def __init__(self, ends_at: datetime) -> None:
        super().__init__()
        self.ends_at = ends_at


async def take(
    session: AsyncSession, key: bytes, *scope: str, limit: int, period: timedelta, now: datetime
) -> None:
    """Count one use of the quota named by `scope`. Raise `QuotaExceeded`, and count nothing, if it is used up.

    The period begins with its first use. The row stays locked until the transaction ends, so concurrent uses
    are counted one after the other.
    """
    scope_mac = _mac(key, scope)
    query = select(Quota).where(Quota.scope_mac == scope_mac).with_for_update()
    quota = None
    while quota is None:  # it may be purged between the two statements
        await insert_if_absent(
            session, Quota, scope_mac=scope_mac, used=0, ends_at=now + period, created_at=now
        )
        quota = await session.scalar(query)
    if quota.ends_at <= now:
        quota.used, quota.ends_at = 0, now + period
    if quota.used >= limit:
        raise QuotaExceeded(quota.ends_at)
    quota.used += 1
    await session.flush()


async def charge(
    session: AsyncSession,
    services: Services,
    *scope: str,
    limit: int,
    period: timedelta,
    error: type[TooManyRequests],
) -> None:
    """Count one use by the sender of a request, unless the setting RATE_LIMITS is off. Raise `error` if it is used up."""
    now = services.clock()
    if services.settings.rate_limits == "on":
        try:
            await take(session, services.keys.quotas, *scope, limit=limit, period=period, now=now)
        except QuotaExceeded as exceeded:
            seconds = max(1, math.ceil((exceeded.ends_at - now).total_seconds()))
            raise error(headers={"Retry-After": str(seconds)}) from None


def user_scope(name: str, user_id: uuid.UUID) -> tuple[str, ...]:
    """Return the scope of a quota of one user."""
    return name, "user", str(user_id)


async def find(session: AsyncSession, key: bytes, scopes: Iterable[Sequence[str]]) -> Sequence[Quota | None]:
    """Return the row of each scope, or None where nothing was counted."""
    macs = [_mac(key, scope) for scope in scopes]
    rows = {
        row.scope_mac: row for row in await session.scalars(select(Quota).where(Quota.scope_mac.in_(macs)))
    }
    return [rows.get(mac) for mac in macs]


async def forget(session: AsyncSession, key: bytes, scopes: Iterable[Sequence[str]]) -> None:
    """Delete the counts of these scopes."""
    macs = [_mac(key, scope) for scope in scopes]
    await session.execute(delete(Quota).where(Quota.scope_mac.in_(macs)))


def _mac(key: bytes, scope: Iterable[str]) -> bytes:
    return hmac_of(key, *(part.encode() for part in scope))
