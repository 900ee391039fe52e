"""Recurring jobs that delete expired data in batches.

Expired referral codes are kept: queries compare their expiry with the clock, and their owner still sees them.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from sqlalchemy import ColumnElement, Executable, TextClause, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from goodword.audit import hash_chain, ip_retention
from goodword.config.settings import Settings
from goodword.db.base import Base
from goodword.jobs.models import Job
from goodword.jobs.service import ClaimedJob, enqueue
from goodword.jobs.worker import Handler, NodeTask
from goodword.oauth.models import OAuthCode
from goodword.privacy import tombstones
from goodword.providers.models import IS_UNRESTRICTED, EmailCheck
from goodword.rate_limits.models import Quota
from goodword.risk import evidence_retention
from goodword.risk.models import FormerReferee
from goodword.services import Services
from goodword.sessions.models import LoginFailures, SeenClient, UserSession
from goodword.touches import hash_retention
from goodword.touches.models import Touch
from goodword.users.models import Verification
from goodword.web.idempotency import KEPT
from goodword.web.models import IdempotencyKey
from goodword.webhooks.models import (
    GETS_NOTHING,
    HAS_ENDED,
    HAS_NO_DELIVERY,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)

BATCH_SIZE = 1_000
TIME_LIMIT = 20.0
"""Seconds for one job, shorter than the limit of the worker."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

log = structlog.get_logger("goodword.retention")


class Expiry(NamedTuple):
    """Rows of the table of `column` expire when that time is `kept` ago. An index by the time must find them."""

    column: InstrumentedAttribute[Any]
    kept: timedelta
    only: ColumnElement[bool] | TextClause | None = None
    """A condition of the index, if it is partial."""
    referring: Sequence[InstrumentedAttribute[Any]] = ()
    """Columns of other tables whose rows are deleted too."""


Rules = Callable[[Settings], Sequence[Expiry]]


def _sessions(settings: Settings) -> Sequence[Expiry]:
    kept, referring = days(settings.keep_sessions), (OAuthCode.session_id, OAuthCode.browser_session_id)
    ends = (UserSession.idle_expires_at, UserSession.revoked_at)
    return [Expiry(ended, kept, referring=referring) for ended in ends]


def _email_checks(settings: Settings) -> Sequence[Expiry]:
    kept = days(settings.keep_email_checks)
    return [
        Expiry(EmailCheck.checked_at, kept, only=IS_UNRESTRICTED),
        Expiry(EmailCheck.created_at, kept, only=EmailCheck.checked_at.is_(None)),
    ]


def _webhooks(settings: Settings) -> Sequence[Expiry]:
    """Return the rules from the last to the first: an event is needed while a delivery refers to it."""
    kept = days(settings.keep_webhooks)
    return [
        Expiry(WebhookAttempt.created_at, kept),
        Expiry(WebhookDelivery.created_at, kept, only=HAS_ENDED),
        Expiry(WebhookEvent.created_at, kept, only=HAS_NO_DELIVERY),
        Expiry(WebhookEndpoint.deleted_at, kept, only=GETS_NOTHING),
    ]


def _jobs(outcome: str, kept: timedelta) -> Sequence[Expiry]:
    return [Expiry(Job.finished_at, kept, only=Job.outcome == outcome)]


def days(number: int) -> timedelta:
    return timedelta(days=number)


RULES: Mapping[str, Rules] = {
    # Kept for a day, because a replay of a used code revokes its session (RFC 6749 §4.1.2).
    "purge_oauth_codes": lambda _: [Expiry(OAuthCode.expires_at, DAY)],
    "purge_sessions": _sessions,
    "purge_verifications": lambda settings: [Expiry(Verification.expires_at, days(settings.keep_tokens))],
    "purge_idempotency_keys": lambda _: [Expiry(IdempotencyKey.created_at, KEPT)],
    "purge_login_failures": lambda _: [Expiry(LoginFailures.last_at, DAY)],
    "purge_seen_clients": lambda settings: [Expiry(SeenClient.created_at, days(settings.keep_touch_hashes))],
    "purge_former_referees": lambda settings: [
        Expiry(FormerReferee.created_at, days(settings.keep_former_referees))
    ],
    "purge_email_checks": _email_checks,
    "purge_quotas": lambda _: [Expiry(Quota.ends_at, DAY)],
    "purge_webhooks": _webhooks,
    "purge_finished_jobs": lambda settings: _jobs("done", days(settings.keep_jobs)),
    # They may contain an address, so they are not kept for ever.
    "purge_dead_jobs": lambda settings: _jobs("dead", days(settings.keep_failed_jobs)),
}
"""By kind of job."""

CLEAR_ADDRESSES, CLEAR_HASHES = "clear_audit_addresses", "clear_touch_hashes"
PURGE_TOUCHES = "purge_touches"
PERIODIC_TASKS = dict.fromkeys((*RULES, CLEAR_ADDRESSES, CLEAR_HASHES, PURGE_TOUCHES), HOUR)


async def purge(services: Services, job: ClaimedJob) -> None:
    """Delete the rows that have expired by the rules of the job's kind."""
    await _delete_all_expired(services, job, RULES[job.kind](services.settings))


async def purge_touches(services: Services, job: ClaimedJob) -> None:
    """Delete the touches that can no longer count, by the attribution window of their program."""
    kept, programs = days(services.settings.keep_touches), (await services.programs.all()).values()
    rules = [
        Expiry(
            Touch.created_at,
            timedelta(seconds=program.attribution_window) + kept,
            only=Touch.program_id == program.id,
        )
        for program in programs
    ]
    await _delete_all_expired(services, job, rules)


async def clear_touch_hashes(services: Services, job: ClaimedJob) -> None:
    """Clear the hashes of old touches, which stay until they can no longer count, and those of old risk signals."""
    before = services.clock() - days(services.settings.keep_touch_hashes)
    clears = (hash_retention.clear_old, evidence_retention.clear_old)
    await _run_batches(services, job, [partial(clear, limit=BATCH_SIZE, before=before) for clear in clears])


async def clear_addresses(services: Services, job: ClaimedJob) -> None:
    """Clear old IP addresses in the audit log, whose rows are permanent."""
    before = services.clock() - days(services.settings.keep_audit_addresses)
    clear = partial(ip_retention.clear_old, limit=BATCH_SIZE, before=before)
    await _run_batches(services, job, [clear])


async def _delete_all_expired(services: Services, job: ClaimedJob, rules: Iterable[Expiry]) -> None:
    now = services.clock()
    await _run_batches(services, job, [partial(_delete_expired, expiry=one, now=now) for one in rules])


async def _delete_expired(session: AsyncSession, *, expiry: Expiry, now: datetime) -> int:
    model: type[Base] = expiry.column.class_
    query = select(model.id).where(expiry.column < now - expiry.kept)
    if expiry.only is not None:
        query = query.where(expiry.only)
    # In the order of the index: otherwise PostgreSQL may read the whole table to find a few rows.
    query = query.order_by(expiry.column).limit(BATCH_SIZE).with_for_update(skip_locked=True)
    ids = (await session.scalars(query)).all()
    if ids:
        for column in expiry.referring:
            await session.execute(_delete(column.class_, column.in_(ids)))
        await session.execute(_delete(model, model.id.in_(ids)))
    return len(ids)


def _delete(model: Any, condition: ColumnElement[bool]) -> Executable:
    return delete(model).where(condition).execution_options(synchronize_session=False)


async def _run_batches(
    services: Services, job: ClaimedJob, batches: Iterable[Callable[[AsyncSession], Awaitable[int]]]
) -> None:
    """Run each kind of batch until nothing is left, in transactions of their own so that locks are short.

    After `TIME_LIMIT` another job continues.
    """
    total, start, waiting = 0, time.monotonic(), deque(batches)
    while waiting:
        async with services.database.transaction() as session:
            rows = await waiting[0](session)
        total += rows
        if rows < BATCH_SIZE:
            waiting.popleft()
        elif time.monotonic() - start >= TIME_LIMIT:
            async with services.database.transaction() as session:
                enqueue(session, job.kind, {}, now=services.clock())
            break
    if total:
        log.info("removed", kind=job.kind, rows=total)


async def seal_audit(services: Services) -> None:
    await hash_chain.seal(services.database, services.keys.audit)


async def delete_emails(services: Services) -> None:
    """Delete old e-mails that were saved as files. Each node has its own."""
    kept, folder = days(services.settings.keep_emails), services.settings.emails_dir
    await asyncio.to_thread(_delete_files, folder, before=(services.clock() - kept).timestamp())


def _delete_files(folder: Path, *, before: float) -> None:
    for path in folder.glob("*.eml"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()


HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(RULES, purge),
    CLEAR_ADDRESSES: clear_addresses,
    CLEAR_HASHES: clear_touch_hashes,
    PURGE_TOUCHES: purge_touches,
}
NODE_TASKS: Mapping[NodeTask, float] = {
    seal_audit: 3.0,
    tombstones.add_recent: tombstones.MIRROR_SECONDS,
    delete_emails: HOUR.total_seconds(),
}
"""Tasks of every worker, with their interval in seconds."""
