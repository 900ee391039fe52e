"""Notice that jobs wait because no worker runs: on PostgreSQL, `goodword worker` runs beside the service."""

from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from sqlalchemy import bindparam, literal, or_, select
from sqlalchemy.exc import SQLAlchemyError

from goodword.db.database import Database
from goodword.db.periodic import repeat
from goodword.jobs.models import Job
from goodword.services import Services

LATE = timedelta(minutes=2)
SEEN_WITHIN = timedelta(hours=2)
"""A worker finishes recurring jobs every hour."""
CHECK_SECONDS = 60.0

log = structlog.get_logger("goodword.jobs")


async def are_late(database: Database, *, now: datetime) -> bool:
    """Return whether a job has been due for more than two minutes, and no worker has taken it."""
    return await database.row(_LATE, due=now - LATE, now=now) is not None


async def warn_at_start(services: Services) -> None:
    """Log a warning if no worker has run lately."""
    with suppress(SQLAlchemyError, OSError):
        if await services.database.row(_FINISHED, since=services.clock() - SEEN_WITHIN) is None:
            log.warning("no worker has run jobs lately: start `goodword worker`")


async def watch(services: Services) -> None:
    """Log a warning every minute while jobs are late."""

    async def warn() -> None:
        if await are_late(services.database, now=services.clock()):
            log.warning("no worker runs jobs, and e-mails wait: start `goodword worker`")

    await repeat("look_for_late_jobs", warn, every=CHECK_SECONDS)


_LATE = (
    select(Job.id)
    .where(
        Job.finished_at.is_(None),
        Job.run_at <= bindparam("due", type_=Job.run_at.type),
        or_(Job.leased_until.is_(None), Job.leased_until <= bindparam("now", type_=Job.run_at.type)),
    )
    .limit(1)
)
_FINISHED = (
    select(Job.id)
    .where(Job.outcome == literal("done"), Job.finished_at >= bindparam("since", type_=Job.run_at.type))
    .limit(1)
)
