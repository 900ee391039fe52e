"""Import a batch of records in one transaction, or on SQLite in a few."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeVar

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.attribution.service import serialize
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record as record_event
from goodword.db.statements import is_lock_timeout, is_transaction_conflict
from goodword.services import Services
from goodword.transfer.codes import add_codes
from goodword.transfer.people import add_users
from goodword.transfer.programs import Programs, add_programs
from goodword.transfer.records import (
    CodeRecord,
    ProgramRecord,
    Record,
    ReferralRecord,
    Refusal,
    UserRecord,
)
from goodword.transfer.referrals import add_referrals
from goodword.transfer.rows import Done, Outcome, Raced

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
        programs = _of_type(ProgramRecord, items, outcomes)
        users = _of_type(UserRecord, items, outcomes)
        codes = _of_type(CodeRecord, items, outcomes)
        referrals = _of_type(ReferralRecord, items, outcomes)
        found: dict[int, Outcome] = {}
        if programs:
            found |= zip(programs, await add_programs(session, list(programs.values()), now=now), strict=True)
        known = await Programs.load(session)
        if users:
            batch = list(users.values())
            done = await add_users(
                session, self.services, batch, known, administrators=self.administrators, now=now
            )
            found |= zip(users, done, strict=True)
        if codes:
            done = await add_codes(
                session, self.services, list(codes.values()), known, lock=not is_trial, now=now
            )
            found |= zip(codes, done, strict=True)
        if referrals:
            done = await add_referrals(session, list(referrals.values()), known, lock=not is_trial, now=now)
            found |= zip(referrals, done, strict=True)
        for index, outcome in found.items():
            outcomes[index] = outcome
        created = Counter(
            type(item.record)
            for item, outcome in zip(items, outcomes, strict=True)
            if outcome == Done.CREATED
        )
        if created and not is_trial:
            record_event(
                session,
                Action.DATA_IMPORTED,
                Subject.NONE,
                programs=created[ProgramRecord],
                users=created[UserRecord],
                codes=created[CodeRecord],
                referrals=created[ReferralRecord],
            )
        return outcomes


R = TypeVar("R", ProgramRecord, UserRecord, CodeRecord, ReferralRecord)


def _of_type(kind: type[R], items: Sequence[Item], outcomes: Sequence[Outcome]) -> dict[int, R]:
    """Return the records of a type that are not refused yet, by their index."""
    return {
        index: item.record
        for index, (item, outcome) in enumerate(zip(items, outcomes, strict=True))
        if isinstance(item.record, kind) and outcome == Done.UNCHANGED
    }


def _refusal(record: Record | Refusal, now: datetime) -> Refusal | None:
    if isinstance(record, Refusal):
        return record
    is_future = record.created_at is not None and record.created_at > now
    return Refusal("created_at", "time_in_future") if is_future else None
