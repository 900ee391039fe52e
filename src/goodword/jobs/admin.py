"""Jobs for operators and administrators: count them, list dead ones, retry or discard those."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, case, delete, func, literal, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.db.database import Database
from goodword.jobs.models import IS_DEAD, Job

STATES = ("waiting", "running", "dead")
MAX_COUNTED = 100_000
"""Rows that a count reads at most, so that it never takes long."""


async def count_by_outcome(session: AsyncSession) -> Sequence[Row[str, str, int]]:
    """Count all jobs by kind and outcome."""
    outcome = func.coalesce(Job.outcome, "waiting").label("outcome")
    query = select(Job.kind, outcome, func.count().label("jobs")).group_by(Job.kind, outcome)
    return (await session.execute(query.order_by(Job.kind, outcome))).all()


async def count_open(database: Database, *, now: datetime) -> Sequence[Row[Any]]:
    """Count waiting, running and dead jobs by kind, up to `MAX_COUNTED`."""
    return await database.rows(_OPEN, now=now)


async def oldest_due(database: Database, *, now: datetime) -> datetime | None:
    """Return when the job that waits longest was due. An old value means that no worker is running."""
    row = await database.row(_OLDEST_DUE, now=now)
    return row.run_at if row else None


async def oldest_due_by_kind(database: Database, *, now: datetime) -> Sequence[Row[Any]]:
    """Return for each kind with waiting jobs when the first of them is or was due."""
    return await database.rows(_OLDEST_BY_KIND, now=now)


async def count_finished(database: Database, *, since: datetime) -> Sequence[Row[Any]]:
    """Count done and dead jobs by kind, among the latest `MAX_COUNTED` of each."""
    return await database.rows(_FINISHED, since=since)


async def list_dead(session: AsyncSession, *, limit: int) -> Sequence[Job]:
    """Return dead jobs, the latest first."""
    query = select(Job).where(IS_DEAD).order_by(Job.finished_at.desc(), Job.id.desc())
    return (await session.scalars(query.limit(limit))).all()


async def get(session: AsyncSession, job_id: uuid.UUID) -> Job | None:
    return await session.get(Job, job_id)


async def retry(
    session: AsyncSession, *, job_id: uuid.UUID | None = None, kind: str | None = None, now: datetime
) -> int:
    """Run one dead job, or all of a kind, again with all attempts. Return how many."""
    revived = await session.scalars(
        update(Job)
        .where(IS_DEAD, _matches(job_id, kind))
        .values(outcome=None, finished_at=None, attempts=0, run_at=now, error=None)
        .returning(Job.id)
    )
    return _record(session, Action.JOBS_RETRIED, job_id, kind, len(revived.all()))


async def discard(session: AsyncSession, *, job_id: uuid.UUID | None = None, kind: str | None = None) -> int:
    """Delete one dead job, or all of a kind. Return how many."""
    deleted = await session.scalars(delete(Job).where(IS_DEAD, _matches(job_id, kind)).returning(Job.id))
    return _record(session, Action.JOBS_DISCARDED, job_id, kind, len(deleted.all()))


def _record(
    session: AsyncSession, action: Action, job_id: uuid.UUID | None, kind: str | None, jobs: int
) -> int:
    if jobs:
        record(session, action, Subject.JOB, job_id, kind=kind or "", jobs=jobs)
    return jobs


def _matches(job_id: uuid.UUID | None, kind: str | None) -> ColumnElement[bool]:
    return Job.id == job_id if job_id is not None else Job.kind == kind


_NOW = bindparam("now", type_=Job.run_at.type)


def _open() -> Any:
    state = case((Job.leased_until > _NOW, "running"), else_="waiting").label("state")
    unfinished = select(Job.kind, state).where(Job.finished_at.is_(None)).limit(MAX_COUNTED).subquery()
    dead = select(Job.kind, literal("dead").label("state")).where(IS_DEAD).limit(MAX_COUNTED).subquery()
    jobs = union_all(select(unfinished), select(dead)).subquery()
    key = (jobs.c.kind, jobs.c.state)
    return select(*key, func.count().label("jobs")).group_by(*key).order_by(*key)


def _finished() -> Any:
    since = bindparam("since", type_=Job.finished_at.type)
    latest = [
        select(Job.kind, Job.outcome)
        .where(Job.outcome == outcome, Job.finished_at >= since)
        .order_by(Job.finished_at.desc())
        .limit(MAX_COUNTED)
        .subquery()
        for outcome in ("done", "dead")
    ]
    jobs = union_all(*map(select, latest)).subquery()
    key = (jobs.c.kind, jobs.c.outcome)
    return select(*key, func.count().label("jobs")).group_by(*key)


_OPEN, _FINISHED = _open(), _finished()
_OLDEST_DUE = (
    select(Job.run_at)
    .where(Job.finished_at.is_(None), Job.run_at <= _NOW, func.coalesce(Job.leased_until, _NOW) <= _NOW)
    .order_by(Job.run_at, Job.id)
    .limit(1)
)
_OLDEST_BY_KIND = (
    select(Job.kind, func.min(Job.run_at).label("run_at"))
    .where(Job.finished_at.is_(None), func.coalesce(Job.leased_until, _NOW) <= _NOW)
    .group_by(Job.kind)
)
