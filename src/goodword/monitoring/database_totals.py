"""Totals of the database for `/metrics`, read at most every few seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from sqlalchemy import Row, bindparam, func, select
from sqlalchemy.exc import SQLAlchemyError

from goodword.codes.models import ReferralCode, in_running_program, usable
from goodword.db.error_causes import describe
from goodword.jobs import admin as jobs
from goodword.providers.models import BreakerState, ProviderState
from goodword.referrals.models import IS_HELD, Referral, ReferralStatus
from goodword.services import Services
from goodword.telemetry.metrics import Family

KEPT_SECONDS = 10.0
MOST_OF_THE_TIME = 0.05
"""The share of the time that the statements may take: where tables are large, they are run less often."""
WAIT_SECONDS = 1.5
"""A scrape waits no longer, and shows the totals from before."""

ACTIVE_CODES = Family("goodword_active_codes", "Codes that can be used.")
BREAKERS = Family(
    "goodword_provider_breaker", "1 for the state of the circuit breaker.", ("provider", "state")
)
DATABASE_UP = Family(
    "goodword_database_up", "Whether the totals could be read: jobs, referrals, codes and breakers."
)
JOBS = Family("goodword_jobs", "Jobs by kind: waiting, running and dead, up to 100,000.", ("kind", "state"))
OLDEST_JOB = Family(
    "goodword_jobs_oldest_due_seconds",
    "How long the waiting job of a kind that waits longest has been due.",
    ("kind",),
)
OLDEST_HELD = Family(
    "goodword_oldest_held_referral_seconds",
    "How long the referral that is held longest has waited for a review.",
)
REFERRALS = Family("goodword_referrals", "Referrals by state.", ("state",))
FAMILIES = (ACTIVE_CODES, BREAKERS, JOBS, OLDEST_HELD, OLDEST_JOB, REFERRALS)

log = structlog.get_logger("goodword.metrics")
Sample = tuple[Family, tuple[str, ...], float]


class DatabaseTotals:
    """The latest totals. They are shown until others are read, but not while the database is away."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._samples: Sequence[Sample] = ()
        self._next = 0.0
        self._reading: asyncio.Task[None] | None = None

    async def get(self) -> Sequence[Sample]:
        """Return the totals, and whether the database is up. Never raise, and do not wait long."""
        if self._reading is None and time.monotonic() >= self._next and not self._services.waiting.is_set():
            self._reading = asyncio.create_task(self._read())
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=WAIT_SECONDS)
        is_up = bool(self._samples) and not self._services.waiting.is_set()
        return [*(self._samples if is_up else ()), (DATABASE_UP, (), is_up)]

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        began = time.monotonic()
        try:
            self._samples = [sample for read in READERS for sample in await read(self._services)]
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            self._samples = ()
            log.warning("the totals for /metrics could not be read", why=describe(error))
        finally:
            now = time.monotonic()
            self._next = now + max(KEPT_SECONDS, (now - began) / MOST_OF_THE_TIME)
            self._reading = None


async def _jobs(services: Services) -> Sequence[Sample]:
    rows = await jobs.count_open(services.database, now=services.clock())
    return [(JOBS, (row.kind, row.state), row.jobs) for row in rows]


async def _oldest_jobs(services: Services) -> Sequence[Sample]:
    now = services.clock()
    rows = await jobs.oldest_due_by_kind(services.database, now=now)
    return [(OLDEST_JOB, (row.kind,), max(0.0, (now - row.run_at).total_seconds())) for row in rows]


async def _referrals(services: Services) -> Sequence[Sample]:
    found: Sequence[Row[Any]] = await services.database.replica_rows(_REFERRALS)
    counts = {row.status: row.found for row in found}
    return [(REFERRALS, (status.value,), counts.get(status, 0)) for status in ReferralStatus]


async def _oldest_held(services: Services) -> Sequence[Sample]:
    now = services.clock()
    rows: Sequence[Row[Any]] = await services.database.replica_rows(_OLDEST_HELD)
    waited = max(0.0, (now - rows[0].created_at).total_seconds()) if rows else 0.0
    return [(OLDEST_HELD, (), waited)]


async def _codes(services: Services) -> Sequence[Sample]:
    [row] = await services.database.replica_rows(_ACTIVE_CODES, now=services.clock())
    return [(ACTIVE_CODES, (), row.found)]


async def _breakers(services: Services) -> Sequence[Sample]:
    rows, now = await services.database.rows(_BREAKERS), services.clock()
    states = [(row.name, ProviderState(open_until=row.open_until).breaker(now)) for row in rows]
    return [(BREAKERS, (name, state.value), state is now_) for name, now_ in states for state in BreakerState]


_REFERRALS = select(Referral.status, func.count().label("found")).group_by(Referral.status)
_OLDEST_HELD = select(Referral.created_at).where(IS_HELD).order_by(Referral.created_at, Referral.id).limit(1)
_NOW = bindparam("now", type_=ReferralCode.expires_at.type)
_ACTIVE_CODES = select(func.count().label("found")).where(usable(_NOW), in_running_program(_NOW))
_BREAKERS = select(ProviderState.name, ProviderState.open_until)
READERS: Sequence[Callable[[Services], Awaitable[Sequence[Sample]]]] = (
    _jobs,
    _oldest_jobs,
    _referrals,
    _oldest_held,
    _codes,
    _breakers,
)
