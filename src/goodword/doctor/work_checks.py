"""Checks of background work: the worker, its jobs, and what it deletes and seals."""

from collections.abc import Sequence

from sqlalchemy import bindparam, func, select

from goodword.audit import hash_chain
from goodword.audit.hash_chain import ChainBroken
from goodword.crypto import WrongSecret
from goodword.doctor.findings import Check, Finding, Level, NotChecked, error, ok, warning
from goodword.doctor.installation import Installation
from goodword.jobs import lateness
from goodword.jobs.models import IS_DEAD, Job
from goodword.retention import DAY, RULES
from goodword.sessions.keys import SigningKeys

MANY_ATTEMPTS = 3
VERIFIED_ROWS = 2_000
OVERDUE = DAY
"""Recurring jobs run every hour."""


async def check_worker(installation: Installation) -> Finding:
    database = await installation.migrated()
    if await lateness.are_late(database, now=installation.now()):
        return warning("Jobs have been due for more than two minutes, and no worker runs them.")
    return ok("No job is late.")


async def check_dead(installation: Installation) -> Finding:
    await installation.migrated()
    row = await installation.row(select(func.count().label("jobs")).select_from(Job).where(IS_DEAD))
    count = row.jobs if row else 0
    return warning(f"{count} jobs have failed for good.") if count else ok("No job has failed for good.")


async def check_failing(installation: Installation) -> Finding:
    await installation.migrated()
    failing = select(Job.kind).where(Job.finished_at.is_(None), Job.attempts >= MANY_ATTEMPTS).distinct()
    kinds = sorted(row.kind for row in await installation.rows(failing))
    if kinds:
        return warning(f"Jobs fail again and again: {', '.join(kinds)}.")
    return ok("No job fails again and again.")


async def check_retention(installation: Installation) -> Finding:
    await installation.migrated()
    settings, late = installation.settings, []
    for kind, rules in RULES.items():
        for rule in rules(settings):
            before = bindparam("before", type_=rule.column.type)
            query = select(rule.column).where(rule.column < before)
            if rule.only is not None:
                query = query.where(rule.only)
            query = query.order_by(rule.column).limit(1)
            if await installation.rows(query, before=installation.now() - rule.kept - OVERDUE):
                late.append(kind)
    if late:
        return warning(f"Data is kept for longer than the settings say: {', '.join(dict.fromkeys(late))}.")
    return ok("Expired data is deleted.")


async def check_sealed(installation: Installation) -> Finding:
    database = await installation.migrated()
    count = await hash_chain.count_overdue(database, now=installation.now())
    return warning(f"{count} rows of the audit log wait for their seal.") if count else ok("All are sealed.")


async def check_chain(installation: Installation) -> Finding:
    """Verify the newest rows: `goodword audit verify` verifies all."""
    database = await installation.migrated()
    try:
        await SigningKeys.can_open(database, installation.keys.signing_keys)
        head = await hash_chain.verify_latest(database, installation.keys.audit, rows=VERIFIED_ROWS)
    except WrongSecret:
        raise NotChecked("the secret key is not that of the database") from None
    except ChainBroken as broken:
        return error(f"The audit log is not as it was written. {broken}.")
    return ok(f"The newest rows are as they were written ({head.sequence} in all).")


CHECKS: Sequence[Check] = (
    Check(
        id="worker",
        title="A worker runs",
        remedy="Start `goodword worker`, or `goodword serve` on SQLite: without it no e-mail is sent.",
        level=Level.WARNING,
        run=check_worker,
    ),
    Check(
        id="jobs-dead",
        title="No job has failed for good",
        remedy="`goodword jobs list` shows why. Remove the cause, then `goodword jobs retry`, or `discard`.",
        level=Level.WARNING,
        run=check_dead,
    ),
    Check(
        id="jobs-failing",
        title="No job fails again and again",
        remedy="See the log for `job failed`. The job is tried again until it has failed for good.",
        level=Level.WARNING,
        run=check_failing,
    ),
    Check(
        id="retention",
        title="Expired data is deleted",
        remedy="Start a worker, and look at `goodword jobs list` for recurring jobs that fail.",
        level=Level.WARNING,
        run=check_retention,
    ),
    Check(
        id="audit-sealed",
        title="The rows of the audit log are sealed",
        remedy="Start a worker, which seals them every three seconds.",
        level=Level.WARNING,
        run=check_sealed,
    ),
    Check(
        id="audit-chain",
        title="The newest rows of the audit log are as they were written",
        remedy="Someone changed the database. Run `goodword audit verify`, and compare with a backup.",
        level=Level.ERROR,
        run=check_chain,
    ),
)
