"""Who may ask a service now: its limits on the rate and a breaker, in the database, so that all nodes share them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.statements import insert_if_absent
from goodword.providers.models import ProviderState
from goodword.providers.responses import Outcome

FAILURES = 5
"""In a row, until nobody is asked for a while."""
PROBE = timedelta(seconds=30)
"""After an outage one goes ahead, and the others wait this long for what it finds."""
LONGEST_PAUSE = timedelta(hours=1)
LONGEST_OUTAGE = timedelta(minutes=5)
"""After a failure, which may have been impatience of ours: the budget of a sign-up is short."""

log = structlog.get_logger("goodword.providers")


@dataclass(frozen=True, slots=True)
class BreakerKey:
    """A leaky bucket (the GCRA of ATM): one passes each `interval`, and up to `burst` at once after a rest.

    So no stretch of time t has more than burst + t / interval of them, wherever it begins.
    """

    name: str
    interval: timedelta
    burst: int


class CircuitOpen(Exception):
    """Do not ask before `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__("not now")
        self.until = until


async def enter(session: AsyncSession, gate: BreakerKey, *, now: datetime) -> None:
    """Take a place, to be used as soon as this transaction is committed. Raises `NotNow`."""
    state = await _locked(session, gate, now=now)
    if state.open_until is not None and now < state.open_until:
        raise CircuitOpen(state.open_until)
    begins = state.free_at - (gate.burst - 1) * gate.interval
    if now < begins:
        raise CircuitOpen(begins)
    state.free_at = max(state.free_at, now) + gate.interval
    if state.open_until is not None:
        state.open_until = now + PROBE
    await session.flush()


async def note(session: AsyncSession, gate: BreakerKey, said: Outcome, *, now: datetime) -> None:
    """How it went. What the service says of one address is no fault of the service."""
    state = await _locked(session, gate, now=now)
    if said not in (Outcome.THROTTLED, Outcome.KEY_REFUSED, Outcome.BROKEN):
        state.failures, state.open_until = 0, None
    else:
        state.failures += 1
        pause = _pause(said, state.failures)
        if pause:
            state.open_until = now + pause
            level = log.error if said is Outcome.KEY_REFUSED else log.warning
            level("provider paused", provider=gate.name, why=said.value, seconds=int(pause.total_seconds()))
    await session.flush()


def _pause(said: Outcome, failures: int) -> timedelta:
    if said is Outcome.KEY_REFUSED:
        return LONGEST_PAUSE  # until somebody sees to the key
    if said is Outcome.THROTTLED:
        return min(timedelta(minutes=1) * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE)
    over = failures - FAILURES
    return min(timedelta(seconds=30) * 2.0 ** min(over, 10), LONGEST_OUTAGE) if over >= 0 else timedelta(0)


async def _locked(session: AsyncSession, gate: BreakerKey, *, now: datetime) -> ProviderState:
    await insert_if_absent(
        session, ProviderState, name=gate.name, free_at=now, failures=0, open_until=None, created_at=now
    )
    state = await session.scalar(
        select(ProviderState)
        .where(ProviderState.name == gate.name)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    assert state is not None, "it was just made, or there before"
    return state
