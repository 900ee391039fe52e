"""Rules about jobs: written with what asks for them, claimed with a lease, ended only by its holder."""

import json
import random
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.statements import insert_if_absent
from goodword.db.transaction_hooks import notify_after_commit
from goodword.jobs.models import IS_DEAD, Job

LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 10
FIRST_DELAY = timedelta(seconds=10)
MAX_DELAY = timedelta(hours=1)
CHANNEL = "goodword_jobs"
"""Notified at the commit of a job: in this process by a hook, in others by a trigger of PostgreSQL."""


class JobFailed(Exception):
    """Raised by a handler that knows what went wrong and can say so without naming anybody."""


class PermanentFailure(JobFailed):
    """The same when no further attempt can help: the job is dead at once."""


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A claimed job, as its handler gets it. `id` is the same at every attempt."""

    id: uuid.UUID
    kind: str
    payload: Mapping[str, Any]
    user_id: uuid.UUID | None
    holder: str
    attempt: int


def enqueue(
    session: AsyncSession,
    kind: str,
    payload: Mapping[str, Any],
    *,
    now: datetime,
    user_id: uuid.UUID | None = None,
    run_at: datetime | None = None,
) -> None:
    """Something to do once this transaction is committed, and only then."""
    job = Job(kind=kind, payload=_json(payload), user_id=user_id, created_at=now, run_at=run_at or now)
    session.add(job)
    notify_after_commit(session, CHANNEL)


async def enqueue_once(
    session: AsyncSession,
    kind: str,
    payload: Mapping[str, Any],
    *,
    slot: str,
    now: datetime,
    user_id: uuid.UUID | None = None,
) -> bool:
    """The same, if no job has this slot yet; whether it is new. Who asks at the same moment waits and learns."""
    values = {"kind": kind, "payload": _json(payload), "user_id": user_id, "slot": slot}
    job = await insert_if_absent(session, Job, **values, created_at=now, run_at=now, attempts=0)
    if job is not None:
        notify_after_commit(session, CHANNEL)
    return job is not None


async def claim(
    session: AsyncSession, kinds: Collection[str], *, holder: str, now: datetime
) -> ClaimedJob | None:
    """The job that is due for longest, leased to `holder`; or None. The attempt counts from here.

    A job that took its workers down with it as often as a job may be tried is dead.
    """
    # One row, by a scalar subquery: PostgreSQL runs that once, where a subquery of IN could lock again and
    # again. SQLite knows no SKIP LOCKED and needs none: a transaction there has the database to itself.
    next_due = (
        select(Job.id)
        .where(
            Job.finished_at.is_(None),
            Job.run_at <= now,
            or_(Job.leased_until.is_(None), Job.leased_until <= now),
            Job.kind.in_(list(kinds)),
        )
        .order_by(Job.run_at, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    taken = (
        update(Job)
        .where(Job.id == next_due.scalar_subquery())
        .values(attempts=Job.attempts + 1, leased_by=holder, leased_until=now + LEASE)
        .returning(Job.id, Job.kind, Job.payload, Job.user_id, Job.attempts)
        .execution_options(synchronize_session=False)
    )
    while row := (await session.execute(taken)).one_or_none():
        work = ClaimedJob(row.id, row.kind, json.loads(row.payload), row.user_id, holder, row.attempts)
        if work.attempt <= MAX_ATTEMPTS:
            return work
        await _settle(session, work, **_dead("its worker died", now=now))
    return None


async def finish(session: AsyncSession, work: ClaimedJob, *, now: datetime) -> bool:
    """It is done, unless the lease was lost to another worker: then that one has the say, and False."""
    return await _settle(session, work, finished_at=now, outcome="done", payload="{}", error=None)


async def fail(
    session: AsyncSession, work: ClaimedJob, *, error: str, now: datetime, hopeless: bool = False
) -> bool:
    """It failed: try again later and later, or never more. Only the holder of the lease may say so."""
    if hopeless or work.attempt >= MAX_ATTEMPTS:
        return await _settle(session, work, **_dead(error, now=now))
    return await _settle(session, work, run_at=now + retry_delay(work.attempt), error=error[:500])


def retry_delay(attempt: int) -> timedelta:
    """How long to wait after an attempt: twice as long each time, spread so that not all come back at once."""
    return min(FIRST_DELAY * 2.0 ** (attempt - 1), MAX_DELAY) * random.uniform(0.75, 1.25)  # noqa: S311


async def release(session: AsyncSession, holder: str) -> None:
    """Give back what a worker that ends has begun: another need not wait for the leases to run out."""
    await session.execute(
        update(Job)
        .where(Job.leased_by == holder, Job.finished_at.is_(None))
        .values(leased_by=None, leased_until=None)
    )


async def is_claimed(session: AsyncSession, work: ClaimedJob) -> bool:
    """Whether nobody has withdrawn it while it waited, or while its handler waited for a lock."""
    return await session.scalar(select(Job.id).where(_is_leased(work))) is not None


async def cancel(session: AsyncSession, user_id: uuid.UUID, kind: str) -> None:
    """Take back what is still to be done of one kind for one person."""
    await session.execute(
        delete(Job).where(Job.user_id == user_id, Job.kind == kind, Job.finished_at.is_(None))
    )


async def delete_for_user(session: AsyncSession, user_id: uuid.UUID, *, email_key: str) -> None:
    """Remove what is about a person, and what names their address: still to be done, or dead."""
    named = Job.payload.contains(json.dumps(email_key, ensure_ascii=False), autoescape=True)
    # Said three times, so that each has its index: those that are done are many, and empty.
    await session.execute(delete(Job).where(Job.user_id == user_id))
    await session.execute(delete(Job).where(Job.finished_at.is_(None), named))
    await session.execute(delete(Job).where(IS_DEAD, named))


def _is_leased(work: ClaimedJob) -> ColumnElement[bool]:
    return and_(
        Job.id == work.id,
        Job.leased_by == work.holder,
        Job.attempts == work.attempt,
        Job.finished_at.is_(None),
    )


async def _settle(session: AsyncSession, work: ClaimedJob, **values: object) -> bool:
    settled = await session.scalar(
        update(Job)
        .where(_is_leased(work))
        .values(leased_by=None, leased_until=None, **values)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    return settled is not None


def _dead(error: str, *, now: datetime) -> dict[str, object]:
    return {"finished_at": now, "outcome": "dead", "error": error[:500]}


def _json(payload: Mapping[str, Any]) -> str:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
