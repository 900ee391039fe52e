"""Jobs as the operator sees them: how many there are, which are dead and why, and what becomes of those."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Row, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.jobs.models import IS_DEAD, Job


async def counts(session: AsyncSession) -> Sequence[Row[str, str, int]]:
    """How many jobs there are of each kind, and what came of them."""
    outcome = func.coalesce(Job.outcome, "waiting").label("outcome")
    query = select(Job.kind, outcome, func.count().label("jobs")).group_by(Job.kind, outcome)
    return (await session.execute(query.order_by(Job.kind, outcome))).all()


async def dead(session: AsyncSession, *, limit: int) -> Sequence[Job]:
    """Those that are given up, the latest first."""
    query = select(Job).where(IS_DEAD).order_by(Job.finished_at.desc(), Job.id.desc()).limit(limit)
    return (await session.scalars(query)).all()


async def get(session: AsyncSession, job_id: uuid.UUID) -> Job | None:
    return await session.get(Job, job_id)


async def retry(
    session: AsyncSession, *, job_id: uuid.UUID | None = None, kind: str | None = None, now: datetime
) -> int:
    """Give one dead job, or all of a kind, as many attempts again as a new one has. Returns how many."""
    revived = await session.scalars(
        update(Job)
        .where(IS_DEAD, _which(job_id, kind))
        .values(outcome=None, finished_at=None, attempts=0, run_at=now, error=None)
        .returning(Job.id)
    )
    return _recorded(session, Action.JOBS_RETRIED, job_id, kind, len(revived.all()))


async def discard(session: AsyncSession, *, job_id: uuid.UUID | None = None, kind: str | None = None) -> int:
    """Remove one dead job, or all of a kind. Returns how many."""
    gone = await session.scalars(delete(Job).where(IS_DEAD, _which(job_id, kind)).returning(Job.id))
    return _recorded(session, Action.JOBS_DISCARDED, job_id, kind, len(gone.all()))


def _recorded(
    session: AsyncSession, action: Action, job_id: uuid.UUID | None, kind: str | None, jobs: int
) -> int:
    if jobs:
        record(session, action, Subject.JOB, job_id, kind=kind or "", jobs=jobs)
    return jobs


def _which(job_id: uuid.UUID | None, kind: str | None) -> ColumnElement[bool]:
    return Job.id == job_id if job_id is not None else Job.kind == kind
