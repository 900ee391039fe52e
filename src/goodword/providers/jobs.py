"""Jobs that query providers about a new user. Running one again does no harm."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.db.statements import insert_if_absent
from goodword.jobs import service as jobs
from goodword.jobs.service import ClaimedJob
from goodword.jobs.worker import Handler
from goodword.providers import circuit_breaker, disposable, email_checks, enrichment, hunter
from goodword.providers.models import Profile
from goodword.providers.responses import Outcome
from goodword.services import Services
from goodword.telemetry.metrics import PROVIDER_REQUESTS
from goodword.users import addresses, service as users

TIMEOUT = 5.0
MAX_REQUESTS = 10
"""Requests about one user: with the delays between them, an hour and a half."""
MAX_WAITS = 60
RETRIED = frozenset({Outcome.PENDING, Outcome.FAILED, Outcome.THROTTLED, Outcome.KEY_REFUSED, Outcome.BROKEN})

log = structlog.get_logger("goodword.providers")


async def check_email(services: Services, job: ClaimedJob) -> None:
    """Check the address of a new account. The verdict has no effect on the account."""
    async with services.database.transaction() as session:
        user = await users.lock_for_job(session, job)
        if user is None or user.email is None or services.settings.address_check == "off":
            return
        address = addresses.parse(user.email)
        if disposable.is_disposable(address.key):
            return
        claim = await email_checks.claim_check(session, services, address)
        if claim.retry_at is not None:
            _wait(session, services, job, claim.retry_at)
        if claim.retry_at is not None or claim.result is not None:
            return
    answer = await hunter.verify(services, address.key, timeout_seconds=TIMEOUT)
    final = _requests(job) >= MAX_REQUESTS
    async with services.database.transaction() as session:
        user = await users.lock_for_job(session, job)
        await email_checks.store_answer(session, services, claim.check, address, answer, final=final)
        if user is not None and answer.outcome in RETRIED and not final:
            _retry(session, services, job)


async def enrich_profile(services: Services, job: ClaimedJob) -> None:
    """Store the profile of a user with a verified address, unless the address is restricted."""
    provider = enrichment.configured(services.settings)
    if provider is None:
        return
    async with services.database.transaction() as session:
        user = await users.lock_for_job(session, job)
        # An unverified address may belong to another person, whose profile the user would see.
        if user is None or user.email is None or user.verified_at is None:
            return
        address = addresses.parse(user.email)
        if await email_checks.is_restricted(session, services, address):
            return
        if await enrichment.find_profile(session, user.id) is not None:
            return
        try:
            await circuit_breaker.acquire(session, provider.limit, now=services.clock())
        except circuit_breaker.RetryLater as later:
            _wait(session, services, job, later.at)
            return
    answer = await provider.find(services.http_client, address.key, timeout_seconds=TIMEOUT)
    services.metrics.add(PROVIDER_REQUESTS, provider.limit.provider, answer.outcome)
    now = services.clock()
    async with services.database.transaction() as session:
        user = await users.lock_for_job(session, job)  # it may have been erased meanwhile
        if answer.outcome is Outcome.RESTRICTED:
            await email_checks.restrict(session, services, address)
        if user is not None and user.email_key == address.key:
            if answer.outcome is Outcome.ANSWER:
                values = {"user_id": user.id, "provider": provider.name, "created_at": now, **answer.value}
                if await insert_if_absent(session, Profile, **values):
                    record(session, Action.PROFILE_STORED, Subject.USER, user.id)
            elif answer.outcome in RETRIED and _requests(job) < MAX_REQUESTS:
                _retry(session, services, job)
        await circuit_breaker.record_outcome(session, provider.limit, answer.outcome, now=now)


def _requests(job: ClaimedJob) -> int:
    return int(job.payload.get("requests", 0)) + 1


def _retry(session: AsyncSession, services: Services, job: ClaimedJob) -> None:
    requests = _requests(job)
    _enqueue(session, services, job, {"requests": requests}, services.clock() + jobs.retry_delay(requests))


def _wait(session: AsyncSession, services: Services, job: ClaimedJob, until: datetime) -> None:
    # Many jobs may wait for the same provider: spread them, over longer times after each wait.
    waits = int(job.payload.get("waits", 0)) + 1
    if waits > MAX_WAITS:
        log.warning("gave up waiting for a provider", kind=job.kind)
        return
    spread = timedelta(seconds=random.uniform(0, min(2.0**waits, 300)))  # noqa: S311
    _enqueue(session, services, job, {**job.payload, "waits": waits}, until + spread)


def _enqueue(
    session: AsyncSession, services: Services, job: ClaimedJob, payload: dict[str, Any], run_at: datetime
) -> None:
    jobs.enqueue(session, job.kind, payload, user_id=job.user_id, now=services.clock(), run_at=run_at)


HANDLERS: Mapping[str, Handler] = {email_checks.CHECK: check_email, email_checks.ENRICH: enrich_profile}
