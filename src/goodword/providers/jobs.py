"""The jobs that ask others about somebody new. Each may run again: what is known already is not asked for."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select
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
from goodword.users import addresses
from goodword.users.models import User, UserStatus

BUDGET = 5.0
MOST_QUESTIONS = 10
"""With the waits between them, an hour and a half: a service may take its time (202), but not for ever."""
MOST_WAITS = 60
LATER = frozenset({Outcome.PENDING, Outcome.FAILED, Outcome.THROTTLED, Outcome.KEY_REFUSED, Outcome.BROKEN})
"""Worth another question, at another time."""

log = structlog.get_logger("goodword.providers")


async def check_email(services: Services, work: ClaimedJob) -> None:
    """Find out whether mail to a new account's address arrives. The verdict confirms and refuses nobody."""
    async with services.database.transaction() as session:
        user = await _account(session, work)
        if user is None or user.email is None or services.settings.address_check == "off":
            return
        address = addresses.parse(user.email)
        if disposable.is_disposable(address.key):
            return
        turn = await email_checks.take_turn(session, services, address)
        if turn.again_at is not None:
            _wait(session, services, work, turn.again_at)
        if turn.again_at is not None or turn.known is not None:
            return
    finding = await hunter.verify(services.http_client, services.settings, address.key, budget=BUDGET)
    last = _asked(work) >= MOST_QUESTIONS
    async with services.database.transaction() as session:
        user = await _account(session, work)
        await email_checks.record(session, services, turn.check, address, finding, last=last)
        if user is not None and finding.said in LATER and not last:
            _ask_again(session, services, work)


async def enrich_profile(services: Services, work: ClaimedJob) -> None:
    """Find out who somebody new is, for their own eyes, unless they have forbidden it."""
    source = enrichment.configured(services.settings)
    if source is None:
        return
    async with services.database.transaction() as session:
        user = await _account(session, work)
        # Who has not shown that the address is theirs would be shown a stranger's life.
        if user is None or user.email is None or user.verified_at is None:
            return
        address = addresses.parse(user.email)
        if await email_checks.is_restricted(session, services.settings, address):
            return
        if await session.scalar(select(Profile.id).where(Profile.user_id == user.id)) is not None:
            return
        try:
            await circuit_breaker.acquire(session, source.limit, now=services.clock())
        except circuit_breaker.RetryLater as later:
            _wait(session, services, work, later.at)
            return
    finding = await source.find(services.http_client, address.key, budget=BUDGET)
    now = services.clock()
    async with services.database.transaction() as session:
        # Locked again, and asked again whether all is as it was: they may have been erased meanwhile.
        user = await _account(session, work)
        if finding.said is Outcome.RESTRICTED:
            await email_checks.restrict(session, services, address)
        if user is not None and user.email_key == address.key:
            if finding.said is Outcome.ANSWER:
                found = {"provider": source.name, "created_at": now, **finding.what}
                if await insert_if_absent(session, Profile, user_id=user.id, **found):
                    record(session, Action.PROFILE_STORED, Subject.USER, user.id)
            elif finding.said in LATER and _asked(work) < MOST_QUESTIONS:
                _ask_again(session, services, work)
        await circuit_breaker.record_outcome(session, source.limit, finding.said, now=now)


async def _account(session: AsyncSession, work: ClaimedJob) -> User | None:
    """The account that the job is about, locked; None if it is no longer there, or the job no longer wanted."""
    user = await session.scalar(
        select(User)
        .where(User.id == work.user_id, User.status == UserStatus.ACTIVE)
        .with_for_update(key_share=True)
    )
    return user if user is not None and await jobs.is_claimed(session, work) else None


def _asked(work: ClaimedJob) -> int:
    return int(work.payload.get("asked", 0)) + 1


def _ask_again(session: AsyncSession, services: Services, work: ClaimedJob) -> None:
    asked = _asked(work)
    run_at = services.clock() + jobs.retry_delay(asked)
    _enqueue(session, services, work, {"asked": asked}, run_at)


def _wait(session: AsyncSession, services: Services, work: ClaimedJob, until: datetime) -> None:
    # It was not asked at all. Many may be waiting, so each comes back at a time of its own, and ever later.
    waits = int(work.payload.get("waits", 0)) + 1
    if waits > MOST_WAITS:
        log.warning("gave up waiting for a provider", kind=work.kind)
        return
    spread = timedelta(seconds=random.uniform(0, min(2.0**waits, 300)))  # noqa: S311
    _enqueue(session, services, work, {**work.payload, "waits": waits}, until + spread)


def _enqueue(
    session: AsyncSession, services: Services, work: ClaimedJob, payload: dict[str, Any], run_at: datetime
) -> None:
    jobs.enqueue(session, work.kind, payload, user_id=work.user_id, now=services.clock(), run_at=run_at)


HANDLERS: Mapping[str, Handler] = {
    email_checks.CHECK: check_email,
    email_checks.ENRICH: enrich_profile,
}
