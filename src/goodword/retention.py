"""Recurring jobs that delete expired data in batches.

Expired referral codes are kept: queries compare their expiry with the clock, and their owner still sees them.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import structlog
from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.account import tombstones
from goodword.audit import hash_chain, ip_retention
from goodword.db.base import Base
from goodword.jobs.models import Job
from goodword.jobs.service import ClaimedJob
from goodword.jobs.worker import Handler, NodeTask
from goodword.oauth.models import OAuthCode
from goodword.providers import email_checks
from goodword.providers.models import EmailCheck
from goodword.rate_limits.models import Quota
from goodword.services import Services
from goodword.sessions.models import LoginFailures, UserSession
from goodword.users.models import Verification
from goodword.web.idempotency import KEPT, IdempotencyKey

BATCH_SIZE = 1_000
TIME_LIMIT = 20.0
"""Seconds for one job, shorter than the limit of the worker. The next job deletes the remaining rows."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

log = structlog.get_logger("goodword.retention")


class Rule(NamedTuple):
    """When the rows of a table expire, and how often they are deleted."""

    model: type[Base]
    has_expired: Callable[[datetime], ColumnElement[bool]]
    every: timedelta = HOUR


def _session_has_expired(now: datetime) -> ColumnElement[bool]:
    # Kept for a month, so that its owner can ask about it. OAuth codes that refer to it are deleted before.
    limit = now - 30 * DAY
    named = or_(OAuthCode.session_id == UserSession.id, OAuthCode.browser_session_id == UserSession.id)
    return and_(
        or_(
            UserSession.expires_at < limit,
            UserSession.idle_expires_at < limit,
            UserSession.revoked_at < limit,
        ),
        ~select(OAuthCode.id).where(named).exists(),
    )


RULES: Mapping[str, Rule] = {
    # Kept for a day, because a replay of a used code revokes its session (RFC 6749 §4.1.2).
    "purge_oauth_codes": Rule(OAuthCode, lambda now: OAuthCode.expires_at < now - DAY),
    "purge_sessions": Rule(UserSession, _session_has_expired, every=DAY),
    "purge_verifications": Rule(Verification, lambda now: Verification.expires_at < now - DAY),
    "purge_idempotency_keys": Rule(IdempotencyKey, lambda now: IdempotencyKey.created_at < now - KEPT),
    "purge_login_failures": Rule(LoginFailures, lambda now: LoginFailures.last_at < now - DAY),
    "purge_email_checks": Rule(EmailCheck, email_checks.is_stale, every=DAY),
    "purge_quotas": Rule(Quota, lambda now: Quota.ends_at < now - DAY),
    "purge_finished_jobs": Rule(
        Job, lambda now: and_(Job.finished_at < now - 7 * DAY, Job.outcome == "done")
    ),
    # They may contain an address, so they are not kept for ever.
    "purge_dead_jobs": Rule(Job, lambda now: and_(Job.finished_at < now - 30 * DAY, Job.outcome == "dead")),
}

CLEAR_ADDRESSES = "clear_audit_addresses"
PERIODIC_TASKS = {kind: rule.every for kind, rule in RULES.items()} | {CLEAR_ADDRESSES: DAY}


async def purge(services: Services, job: ClaimedJob) -> None:
    """Delete the rows that have expired by the rule of the job's kind."""
    rule = RULES[job.kind]
    expired = select(rule.model.id).where(rule.has_expired(services.clock()))

    async def delete_batch(session: AsyncSession) -> int:
        ids = (await session.scalars(expired.limit(BATCH_SIZE).with_for_update(skip_locked=True))).all()
        if ids:
            await session.execute(delete(rule.model).where(rule.model.id.in_(ids)))
        return len(ids)

    await _run_batches(services, job, delete_batch)


async def clear_addresses(services: Services, job: ClaimedJob) -> None:
    """Clear old IP addresses in the audit log, whose rows are permanent."""
    await _run_batches(services, job, partial(ip_retention.clear_old, limit=BATCH_SIZE, now=services.clock()))


async def _run_batches(
    services: Services, job: ClaimedJob, run: Callable[[AsyncSession], Awaitable[int]]
) -> None:
    """Run batches, each in a transaction so that locks are short, until one is not full or the time is over."""
    total, rows, start = 0, BATCH_SIZE, time.monotonic()
    while rows >= BATCH_SIZE and time.monotonic() - start < TIME_LIMIT:
        async with services.database.transaction() as session:
            rows = await run(session)
        total += rows
    if total:
        log.info("removed", kind=job.kind, rows=total)


async def seal_audit(services: Services) -> None:
    await hash_chain.seal(services.database, services.keys.audit)


HANDLERS: Mapping[str, Handler] = {**dict.fromkeys(RULES, purge), CLEAR_ADDRESSES: clear_addresses}
NODE_TASKS: Mapping[NodeTask, float] = {seal_audit: 3.0, tombstones.sync_file: HOUR.total_seconds()}
"""Tasks of every worker, with their interval in seconds."""
