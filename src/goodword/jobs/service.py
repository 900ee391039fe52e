"""Enqueue, claim and finish jobs."""

import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    Select,
    and_,
    bindparam,
    delete,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from goodword.db.statements import insert_if_absent, with_defaults
from goodword.db.transaction_hooks import insert_before_commit, notify_after_commit
from goodword.jobs.models import Job
from goodword.telemetry.tracing import traceparent

LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 10
FIRST_DELAY = timedelta(seconds=10)
MAX_DELAY = timedelta(hours=1)
CHANNEL = "goodword_jobs"
"""Notified when a job is committed: in this process by a hook, in others by a trigger of PostgreSQL."""
_TABLE: Any = Job.__table__


class JobFailed(Exception):
    """Raised by a handler with a message that contains no personal data."""


class PermanentFailure(JobFailed):
    """Raised by a handler if no further attempt can succeed. The job is dead at once."""


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that a worker has leased. `id` is the same at every attempt."""

    id: uuid.UUID
    kind: str
    payload: Mapping[str, Any]
    user_id: uuid.UUID | None
    worker_id: str
    attempt: int
    traceparent: str | None = None


def enqueue(
    session: AsyncSession,
    kind: str,
    payload: Mapping[str, Any],
    *,
    now: datetime,
    user_id: uuid.UUID | None = None,
    run_at: datetime | None = None,
) -> None:
    """Add a job just before the commit. It runs only if the transaction is committed."""
    values = {"kind": kind, "payload": _json(payload), "user_id": user_id, "traceparent": traceparent()}
    row = with_defaults(Job, {**values, "created_at": now, "run_at": run_at or now})
    insert_before_commit(session, _TABLE, row)
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
    """Add a job unless one has the same slot. Return whether it was added."""
    values = {"kind": kind, "payload": _json(payload), "user_id": user_id, "slot": slot}
    values["traceparent"] = traceparent()
    job = await insert_if_absent(session, Job, **values, created_at=now, run_at=now, attempts=0)
    if job is not None:
        notify_after_commit(session, CHANNEL)
    return job is not None


@cache
def first_due(kinds: tuple[str, ...]) -> Select[*tuple[Any, ...]]:
    """Return the query for one row: for each kind, when the first unleased job is due. It takes a look-up a kind."""
    free = or_(Job.leased_until.is_(None), Job.leased_until <= _NOW)
    return select(
        *(
            select(Job.run_at)
            .where(Job.kind == literal(kind), Job.finished_at.is_(None), free)
            .order_by(Job.run_at, Job.id)
            .limit(1)
            .scalar_subquery()
            .label(kind)
            for kind in kinds
        )
    )


async def claim(
    session: AsyncSession, kind: str, *, worker_id: str, now: datetime, serial: bool = False
) -> ClaimedJob | None:
    """Lease the job of a kind that is due for longest and count the attempt, or return None.

    With `serial`, pass over jobs whose payload is that of a job which a worker runs. Two workers that claim at the
    same moment can still get jobs with one payload. A job whose worker died at the last permitted attempt is marked
    dead.
    """
    values = {"due_kind": kind, "now": now, "worker": worker_id, "lease_end": now + LEASE}
    lease = _LEASE_OLDEST_SERIAL if serial else _LEASE_OLDEST
    while row := (await session.execute(lease, values)).one_or_none():
        payload = json.loads(row.payload)
        job = ClaimedJob(row.id, row.kind, payload, row.user_id, worker_id, row.attempts, row.traceparent)
        if job.attempt <= MAX_ATTEMPTS:
            return job
        await _release(session, job, **_dead("its worker died", now=now))
    return None


async def finish(session: AsyncSession, job: ClaimedJob, *, now: datetime) -> bool:
    """Mark a job as done. Return False if another worker has the lease by now."""
    return await _release(session, job, finished_at=now, outcome="done", payload="{}", error=None)


async def fail(
    session: AsyncSession, job: ClaimedJob, *, error: str, now: datetime, permanent: bool = False
) -> bool:
    """Schedule the next attempt, or mark the job dead. Return False if another worker has the lease by now."""
    if permanent or job.attempt >= MAX_ATTEMPTS:
        return await _release(session, job, **_dead(error, now=now))
    return await _release(session, job, run_at=now + retry_delay(job.attempt), error=error[:500])


def retry_delay(attempt: int) -> timedelta:
    """Return the delay after an attempt: exponential, with random jitter."""
    return min(FIRST_DELAY * 2.0 ** (attempt - 1), MAX_DELAY) * random.uniform(0.75, 1.25)  # noqa: S311


async def release_all(session: AsyncSession, worker_id: str) -> None:
    """Release the leases of a worker that stops, so that others need not wait for their end."""
    await session.execute(
        update(Job)
        .where(Job.leased_by == worker_id, Job.finished_at.is_(None))
        .values(leased_by=None, leased_until=None)
    )


async def is_claimed(session: AsyncSession, job: ClaimedJob) -> bool:
    """Return whether the job is still claimed by its worker: it may have been cancelled meanwhile."""
    return await session.scalar(select(Job.id).where(_is_leased(job))) is not None


async def cancel(session: AsyncSession, user_id: uuid.UUID, kind: str) -> None:
    """Delete the unfinished jobs of one kind for a user."""
    await session.execute(
        delete(Job).where(Job.user_id == user_id, Job.kind == kind, Job.finished_at.is_(None))
    )


async def finish_due(
    session: AsyncSession, kind: str, payload: Mapping[str, Any], *, besides: uuid.UUID, now: datetime
) -> None:
    """Mark the due jobs of a kind with this payload as done, because the job `besides` does their work."""
    values = {"due_kind": kind, "payload_text": _json(payload), "besides": besides, "now": now}
    await session.execute(_FINISH_DUE, values)


def _is_leased(job: ClaimedJob) -> ColumnElement[bool]:
    return and_(
        Job.id == job.id,
        Job.leased_by == job.worker_id,
        Job.attempts == job.attempt,
        Job.finished_at.is_(None),
    )


async def _release(session: AsyncSession, job: ClaimedJob, **values: object) -> bool:
    released = await session.scalar(
        update(Job)
        .where(_is_leased(job))
        .values(leased_by=None, leased_until=None, **values)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    return released is not None


def _dead(error: str, *, now: datetime) -> dict[str, object]:
    return {"finished_at": now, "outcome": "dead", "error": error[:500]}


def _json(payload: Mapping[str, Any]) -> str:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


_NOW = bindparam("now", type_=Job.run_at.type)


def _lease_oldest(*conditions: ColumnElement[bool]) -> Executable:
    # A scalar subquery: PostgreSQL runs it once, and could lock a row in each of several runs of `IN`.
    # SQLite has no SKIP LOCKED and needs none: it runs one writing transaction at a time.
    oldest = (
        select(Job.id)
        .where(
            Job.kind == bindparam("due_kind", type_=Job.kind.type),
            Job.finished_at.is_(None),
            Job.run_at <= _NOW,
            or_(Job.leased_until.is_(None), Job.leased_until <= _NOW),
            *conditions,
        )
        .order_by(Job.run_at, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (
        update(Job)
        .where(Job.id == oldest.scalar_subquery())
        .values(
            attempts=Job.attempts + 1,
            leased_by=bindparam("worker", type_=Job.leased_by.type),
            leased_until=bindparam("lease_end", type_=Job.run_at.type),
        )
        .returning(Job.id, Job.kind, Job.payload, Job.user_id, Job.attempts, Job.traceparent)
        .execution_options(synchronize_session=False)
    )


_RUNNING = aliased(Job)
_IS_RUN = Job.payload.in_(
    select(_RUNNING.payload).where(
        _RUNNING.kind == bindparam("due_kind", type_=Job.kind.type),
        _RUNNING.finished_at.is_(None),
        _RUNNING.run_at <= _NOW,
        _RUNNING.leased_until > _NOW,
    )
)
_LEASE_OLDEST, _LEASE_OLDEST_SERIAL = _lease_oldest(), _lease_oldest(~_IS_RUN)
_FINISH_DUE = (
    update(Job)
    .where(
        Job.id.in_(
            select(Job.id)
            .where(
                Job.kind == bindparam("due_kind", type_=Job.kind.type),
                Job.payload == bindparam("payload_text", type_=Job.payload.type),
                Job.id != bindparam("besides", type_=Job.id.type),
                Job.finished_at.is_(None),
                Job.run_at <= _NOW,
                or_(Job.leased_until.is_(None), Job.leased_until <= _NOW),
            )
            .order_by(Job.run_at, Job.id)
            .limit(1000)
            .with_for_update(skip_locked=True)
        )
    )
    .values(finished_at=_NOW, outcome="done", payload="{}", error=None)
    .execution_options(synchronize_session=False)
)
