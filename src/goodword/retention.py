"""What is removed when nobody can need it any more: by recurring jobs, a batch at a time.

Codes past their term are not here. They end by the clock, to the second, wherever they are read; to mark them as
retired would only make the owner's list say `retired` of a code that is `expired`.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from sqlalchemy import ColumnElement, and_, delete, or_, select

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
"""For one attempt, well within the time of a job. What is left waits for the next one, an hour later."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

log = structlog.get_logger("goodword.upkeep")


class Rule(NamedTuple):
    """Rows of a table that can go."""

    model: type[Base]
    is_stale: Callable[[datetime], ColumnElement[bool]]
    every: timedelta = HOUR


def _ended_session(now: datetime) -> ColumnElement[bool]:
    # Kept for a month after its end, for its owner to ask what it was. A code that led to it goes before it.
    over = now - 30 * DAY
    named = or_(OAuthCode.session_id == UserSession.id, OAuthCode.browser_session_id == UserSession.id)
    return and_(
        or_(UserSession.expires_at < over, UserSession.idle_expires_at < over, UserSession.revoked_at < over),
        ~select(OAuthCode.id).where(named).exists(),
    )


RULES: Mapping[str, Rule] = {
    # A replay of a code that was used ends its session (RFC 6749 §4.1.2): for a day it is known for that.
    "purge_oauth_codes": Rule(OAuthCode, lambda now: OAuthCode.expires_at < now - DAY),
    "purge_sessions": Rule(UserSession, _ended_session, every=DAY),
    "purge_verifications": Rule(Verification, lambda now: Verification.expires_at < now - DAY),
    "purge_idempotency_keys": Rule(IdempotencyKey, lambda now: IdempotencyKey.created_at < now - KEPT),
    "purge_login_failures": Rule(LoginFailures, lambda now: LoginFailures.last_at < now - DAY),
    "purge_email_checks": Rule(EmailCheck, email_checks.is_stale, every=DAY),
    "purge_quotas": Rule(Quota, lambda now: Quota.ends_at < now - DAY),
    "purge_finished_jobs": Rule(
        Job, lambda now: and_(Job.finished_at < now - 7 * DAY, Job.outcome == "done")
    ),
    # They may name an address, so they do not wait for the operator for ever.
    "purge_dead_jobs": Rule(Job, lambda now: and_(Job.finished_at < now - 30 * DAY, Job.outcome == "dead")),
}

CLEAR_ADDRESSES = "clear_audit_addresses"
PERIODIC_TASKS = {kind: rule.every for kind, rule in RULES.items()} | {CLEAR_ADDRESSES: DAY}


async def purge(services: Services, work: ClaimedJob) -> None:
    """Remove what is stale, each batch in a transaction of its own, so that nobody waits for it long."""
    model, is_stale, _ = RULES[work.kind]
    batch = (
        select(model.id).where(is_stale(services.clock())).limit(BATCH_SIZE).with_for_update(skip_locked=True)
    )
    removed, began = 0, time.monotonic()
    while time.monotonic() - began < TIME_LIMIT:
        async with services.database.transaction() as session:
            ids = (await session.scalars(batch)).all()
            if ids:
                await session.execute(delete(model).where(model.id.in_(ids)))
        removed += len(ids)
        if len(ids) < BATCH_SIZE:
            break
    if removed:
        log.info("removed", kind=work.kind, rows=removed)


async def clear_addresses(services: Services, work: ClaimedJob) -> None:
    """Rows of the audit stay; the addresses in them do not."""
    cleared, began, rows = 0, time.monotonic(), BATCH_SIZE
    while rows == BATCH_SIZE and time.monotonic() - began < TIME_LIMIT:
        async with services.database.transaction() as session:
            rows = await ip_retention.clear_old(session, limit=BATCH_SIZE, now=services.clock())
        cleared += rows
    if cleared:
        log.info("removed", kind=work.kind, rows=cleared)


async def seal_audit(services: Services) -> None:
    await hash_chain.seal(services.database, services.keys.audit)


async def sync_tombstones(services: Services) -> None:
    await tombstones.sync_file(services.database, services.settings)


HANDLERS: Mapping[str, Handler] = {**dict.fromkeys(RULES, purge), CLEAR_ADDRESSES: clear_addresses}
NODE_TASKS: Mapping[NodeTask, float] = {seal_audit: 3.0, sync_tombstones: HOUR.total_seconds()}
"""What every worker does every so many seconds."""
