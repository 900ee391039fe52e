"""How many letters may go out at somebody's wish, counted in the transaction that lets one go."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.crypto import hmac_of
from goodword.db.statements import insert_if_absent
from goodword.mail.models import EmailQuota

KEY = "letters at the wish of others"


class QuotaUsedUp(Exception):
    """As many went out as may. `ends_at` is when there can be another."""

    def __init__(self, ends_at: datetime) -> None:
        super().__init__()
        self.ends_at = ends_at


async def used(session: AsyncSession, key: bytes, *scope: str) -> EmailQuota | None:
    """What was counted on the account named by `scope`."""
    scope_mac = hmac_of(key, *(part.encode() for part in scope))
    return await session.scalar(select(EmailQuota).where(EmailQuota.scope_mac == scope_mac))


async def take(
    session: AsyncSession, key: bytes, *scope: str, limit: int, period: timedelta, now: datetime
) -> None:
    """Count one letter on the account named by `scope`. Raises `QuotaUsedUp` and counts nothing then.

    The period begins with its first letter. The row stays locked until the commit: those who ask at the same
    moment take turns, and no more of them get through than may.
    """
    scope_mac = hmac_of(key, *(part.encode() for part in scope))
    query = select(EmailQuota).where(EmailQuota.scope_mac == scope_mac).with_for_update()
    quota = None
    while quota is None:  # again if the purge took it in between
        await insert_if_absent(
            session, EmailQuota, scope_mac=scope_mac, used=0, ends_at=now + period, created_at=now
        )
        quota = await session.scalar(query)
    if quota.ends_at <= now:
        quota.used, quota.ends_at = 0, now + period
    if quota.used >= limit:
        raise QuotaUsedUp(quota.ends_at)
    quota.used += 1
    await session.flush()
