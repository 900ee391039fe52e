"""The rate limit and the circuit breaker of each provider, in one row that all nodes share.

The breaker is closed while the provider answers, open for a pause after failures, and half-open after the pause:
then one request tests the provider. `docs/decisions/0011-providers.md` explains the limits.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.statements import insert_if_absent
from goodword.providers.models import BreakerState, ProviderState
from goodword.providers.responses import Outcome

MAX_FAILURES = 5
"""Consecutive failures that open the breaker."""
PROBE = timedelta(seconds=30)
"""How long other requests wait for the result of the one that tests the provider."""
MAX_PAUSE = timedelta(hours=1)
"""After a refused key or an exceeded limit of the provider."""
MAX_OUTAGE = timedelta(minutes=5)
"""After other failures, such as a timeout: a sign-up waits for 1.5 seconds only."""

log = structlog.get_logger("goodword.providers")


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The rate limit of a provider (GCRA): one request each `interval`, and up to `burst` at once.

    In any time t at most burst + t / interval requests are made.
    """

    provider: str
    interval: timedelta
    burst: int


class RetryLater(Exception):
    """Raised while the breaker is open or the rate limit is reached: no request may be made before `at`."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.at = at


async def acquire(session: AsyncSession, limit: RateLimit, *, now: datetime) -> None:
    """Count a request, to be made after this transaction commits. Raise `RetryLater`."""
    row = await _lock(session, limit, now=now)
    state = row.breaker(now)
    if state is BreakerState.OPEN and row.open_until is not None:
        raise RetryLater(row.open_until)
    earliest = row.free_at - (limit.burst - 1) * limit.interval
    if now < earliest:
        raise RetryLater(earliest)
    row.free_at = max(row.free_at, now) + limit.interval
    if state is BreakerState.HALF_OPEN:
        row.open_until = now + PROBE
    await session.flush()


async def record_outcome(session: AsyncSession, limit: RateLimit, outcome: Outcome, *, now: datetime) -> None:
    """Close the breaker, or count a failure and open it. An answer about one address is never a failure."""
    row = await _lock(session, limit, now=now)
    if outcome not in (Outcome.THROTTLED, Outcome.KEY_REFUSED, Outcome.BROKEN):
        row.failures, row.open_until = 0, None
    else:
        row.failures += 1
        if pause := _pause(outcome, row.failures):
            row.open_until = now + pause
            level = log.error if outcome is Outcome.KEY_REFUSED else log.warning
            level("provider paused", provider=limit.provider, why=outcome.value, seconds=pause.seconds)
    await session.flush()


def _pause(outcome: Outcome, failures: int) -> timedelta | None:
    if outcome is Outcome.KEY_REFUSED:
        return MAX_PAUSE  # the operator has to change the key
    if outcome is Outcome.THROTTLED:
        return min(timedelta(minutes=1) * 2.0 ** min(failures - 1, 10), MAX_PAUSE)
    excess = failures - MAX_FAILURES
    return min(timedelta(seconds=30) * 2.0 ** min(excess, 10), MAX_OUTAGE) if excess >= 0 else None


async def _lock(session: AsyncSession, limit: RateLimit, *, now: datetime) -> ProviderState:
    name = limit.provider
    await insert_if_absent(
        session, ProviderState, name=name, free_at=now, failures=0, open_until=None, created_at=now
    )
    query = select(ProviderState).where(ProviderState.name == name).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one()
