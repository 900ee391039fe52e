"""Import a batch of records in one transaction, or on SQLite in a few."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.attribution.service import serialize
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record as record_event
from goodword.db.statements import is_lock_timeout, is_transaction_conflict
from goodword.services import Services
from goodword.transfer.codes import add_codes
from goodword.transfer.events import add_events
from goodword.transfer.fields import Refusal
from goodword.transfer.people import add_users
from goodword.transfer.programs import Programs, add_programs
from goodword.transfer.records import TYPES, Record, ReferralRecord
from goodword.transfer.referrals import add_referrals
from goodword.transfer.rewards import add_rewards
from goodword.transfer.rows import Done, Outcome, Raced
from goodword.transfer.rules import add_coupons, add_rules

SIZE = 2_000
LOCK = 0x600D_1307
"""Key of the PostgreSQL advisory lock that lets one batch of one import at a time run."""
ATTEMPTS = 5
HOLD = 0.4
"""Seconds that a transaction may hold the lock of SQLite, for which other writers wait 2.4 seconds."""
PAUSE = 0.12
"""Seconds between two transactions. A writer that waits for SQLite's lock tries it every 0.1 seconds."""
MIN_PART, MAX_PART = 20, 1_000


class Item(NamedTuple):
    """A record, and the line that it comes from."""

    file: str | None
    line: int
    record: Record | Refusal


@dataclass(slots=True)
class Importer:
    """Imports batches. In a trial all run in `session`, whose transaction is rolled back at the end."""

    services: Services
    administrators: bool
    session: AsyncSession | None = None
    part: int = 200
    """How many records a transaction on SQLite has, as the last one has shown what fits into `HOLD`."""

    async def run(self, items: Sequence[Item]) -> list[Outcome]:
        """Import a batch, and return what became of each record."""
        if self.session is not None:
            return await self._run(self.session, items)
        if not self.services.database.is_sqlite:
            return await self._commit(items)
        outcomes: list[Outcome] = []
        while len(outcomes) < len(items):
            outcomes += await self._commit(items[len(outcomes) : len(outcomes) + self.part])
            await asyncio.sleep(PAUSE)
        return outcomes

    async def _commit(self, items: Sequence[Item]) -> list[Outcome]:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self.services.database.transaction() as session:
                    await session.connection()  # on SQLite this waits for the lock
                    began = time.monotonic()
                    outcomes = await self._run(session, items)
            except Raced:
                if attempt == ATTEMPTS:
                    raise
            except DBAPIError as error:
                if attempt == ATTEMPTS or not (is_transaction_conflict(error) or is_lock_timeout(error)):
                    raise
            else:
                took = time.monotonic() - began
                self.part = min(max(int(len(items) * HOLD / took), MIN_PART), MAX_PART)
                return outcomes
        raise AssertionError

    async def _run(self, session: AsyncSession, items: Sequence[Item]) -> list[Outcome]:
        if session.get_bind().dialect.name == "postgresql":
            await session.execute(select(func.pg_advisory_xact_lock(LOCK)))
        now, is_trial = self.services.clock(), self.session is not None
        outcomes: list[Outcome] = [_refusal(item.record, now) or Done.UNCHANGED for item in items]
        if not is_trial and any(isinstance(item.record, ReferralRecord) for item in items):
            await serialize(session)
        for kind in TYPES:
            found = {
                index: item.record
                for index, (item, outcome) in enumerate(zip(items, outcomes, strict=True))
                if not isinstance(item.record, Refusal)
                and item.record.type == kind
                and outcome == Done.UNCHANGED
            }
            if found:
                done = await self._add(session, kind, list(found.values()), now=now)
                for index, outcome in zip(found, done, strict=True):
                    outcomes[index] = outcome
        created: Counter[str] = Counter(
            item.record.type
            for item, outcome in zip(items, outcomes, strict=True)
            if outcome == Done.CREATED and not isinstance(item.record, Refusal)
        )
        if created and not is_trial:
            counts: dict[str, Any] = {f"{kind}s": created[kind] for kind in TYPES}
            record_event(session, Action.DATA_IMPORTED, Subject.NONE, **counts)
        return outcomes

    async def _add(
        self, session: AsyncSession, kind: str, batch: list[Any], *, now: datetime
    ) -> list[Outcome]:
        """Import the records of one type. In a trial nothing is locked."""
        services, lock, programs = self.services, self.session is None, await Programs.load(session)
        add: Mapping[str, Callable[[], Awaitable[list[Outcome]]]] = {
            "program": lambda: add_programs(session, batch, now=now),
            "user": lambda: add_users(
                session, services, batch, programs, administrators=self.administrators, now=now
            ),
            "code": lambda: add_codes(session, services, batch, programs, lock=lock, now=now),
            "referral": lambda: add_referrals(session, batch, programs, lock=lock, now=now),
            "reward_rule": lambda: add_rules(session, batch, programs, now=now),
            "event": lambda: add_events(session, batch, programs, lock=lock, now=now),
            "reward": lambda: add_rewards(session, batch, lock=lock, now=now),
            "coupon": lambda: add_coupons(session, batch, now=now),
        }
        return await add[kind]()


def _refusal(record: Record | Refusal, now: datetime) -> Refusal | None:
    if isinstance(record, Refusal):
        return record
    is_future = record.created_at is not None and record.created_at > now
    return Refusal("created_at", "time_in_future") if is_future else None
