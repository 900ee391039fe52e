"""Checks whether an e-mail address is deliverable. Each address is checked once; errors never refuse a sign-up."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit import service as audit
from goodword.audit.actions import Action, Subject
from goodword.config.settings import Settings
from goodword.crypto import hmac_of
from goodword.db.statements import insert_if_absent
from goodword.errors import TooManyRequests, Unprocessable
from goodword.providers import circuit_breaker, disposable, hunter
from goodword.providers.models import VERDICTS, EmailCheck, Status, Verdict
from goodword.providers.responses import Answer, Outcome
from goodword.rate_limits import quotas
from goodword.services import Services
from goodword.telemetry.metrics import PROVIDER_REQUESTS
from goodword.users import addresses
from goodword.users.addresses import Address
from goodword.users.models import User

CHECK, ENRICH = "check_email", "enrich_profile"
QUOTA = "email_checks"
CHECKS_PER_DAY = 20
SIGNUP_TIMEOUT = 1.5
"""Seconds that a sign-up waits for a verdict."""
CHECK_TIMEOUT = 5.0
"""Seconds that a requested check takes at most."""
LEASE = timedelta(seconds=20)
"""How long a claim lasts: longer than any request to the provider."""
POLL_SECONDS = 0.05


class TooManyChecks(TooManyRequests):
    code, detail = "too_many_checks", "You may check 20 addresses a day. Try again later."


class EmailUndeliverable(Unprocessable):
    code, field = "email_undeliverable", "body.email"
    detail = "This address does not accept e-mail, or is disposable. Use another address."


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The status of an address, with its source and time."""

    status: Status = Status.UNKNOWN
    provider: str | None = None
    checked_at: datetime | None = None

    @property
    def verdict(self) -> Verdict:
        return VERDICTS.get(self.status, Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Claim:
    """The result of claiming a check: its result, or the time to retry, or neither: then ask the provider."""

    check: EmailCheck
    result: CheckResult | None = None
    retry_at: datetime | None = None


async def count_check(services: Services, user_id: uuid.UUID) -> None:
    """Count a check that a user requests, since it can cost the operator a credit. Raise `TooManyChecks`."""
    scope, limit, day = quotas.user_scope(QUOTA, user_id), CHECKS_PER_DAY, timedelta(days=1)
    async with services.database.transaction() as session:
        await quotas.charge(session, services, *scope, limit=limit, period=day, error=TooManyChecks)
        audit.record(session, Action.EMAIL_CHECKED, Subject.USER, user_id)


async def ensure_deliverable(services: Services, email: str) -> None:
    """Raise `EmailUndeliverable` if the settings ask for a check and the address fails it."""
    settings, address = services.settings, addresses.parse(email)
    refused = {Status.INVALID}
    if settings.email_disposable == "refuse":
        refused.add(Status.DISPOSABLE)
        if disposable.is_disposable(address.key):
            raise EmailUndeliverable
    if settings.address_check == "blocking":
        result = await check(services, address, timeout_seconds=SIGNUP_TIMEOUT)
        if result.status in refused:
            raise EmailUndeliverable


async def check(
    services: Services, address: Address, *, timeout_seconds: float = CHECK_TIMEOUT, wait: bool = False
) -> CheckResult:
    """Return the result of a check, from Hunter if it is not stored. It is unknown if the timeout expires.

    With `wait`, wait for the rate limit. Sign-ups do not: hundreds of them would poll the database.
    """
    if disposable.is_disposable(address.key):
        return CheckResult(Status.DISPOSABLE, disposable.NAME, services.clock())
    if services.settings.address_check == "off":
        return CheckResult()
    time = asyncio.get_running_loop().time
    deadline = time() + timeout_seconds
    claim = await _claim(services, address)
    while wait and claim.retry_at is not None and claim.check.claimed_until is None:
        delay = max((claim.retry_at - services.clock()).total_seconds(), POLL_SECONDS)
        if time() + delay > deadline:
            break
        await asyncio.sleep(delay)
        claim = await _claim(services, address)
    if claim.result:
        return claim.result
    if claim.retry_at is not None:
        # Another request has claimed the check: wait for its result. A reached rate limit leaves no claim.
        while claim.check.claimed_until and time() < deadline:
            await asyncio.sleep(POLL_SECONDS)
            async with services.database.readers() as reader:
                row = await reader.get(EmailCheck, claim.check.id)
            if row is None or row.claimed_until is None:
                return CheckResult() if row is None else _result(row)
        return CheckResult(provider=hunter.NAME)
    remaining = max(deadline - time(), POLL_SECONDS)
    answer = await hunter.verify(services, address.key, timeout_seconds=remaining)
    async with services.database.transaction() as session:
        return await store_answer(session, services, claim.check, address, answer)


async def _claim(services: Services, address: Address) -> Claim:
    async with services.database.transaction() as session:
        return await claim_check(session, services, address)


async def claim_check(session: AsyncSession, services: Services, address: Address) -> Claim:
    """Return the stored result, or claim the check of an address for `LEASE`, effective after the commit."""
    now, address_mac = services.clock(), mac_of(services, address.key)
    # Lock the account before its data, as an erasure does.
    owner = await session.scalar(
        select(User.id).where(User.email_key == address.key).with_for_update(key_share=True)
    )
    values = {"address_mac": address_mac, "provider": hunter.NAME, "created_at": now, "user_id": owner}
    await insert_if_absent(session, EmailCheck, **values)
    query = select(EmailCheck).where(EmailCheck.address_mac == address_mac).with_for_update()
    row = (await session.scalars(query.execution_options(populate_existing=True))).one()
    row.user_id = owner or row.user_id
    if row.is_fresh(now):
        return Claim(row, result=_result(row))
    if row.claimed_until is not None and now < row.claimed_until:
        return Claim(row, retry_at=row.claimed_until)
    row.claimed_until = None
    try:
        await circuit_breaker.acquire(session, hunter.VERIFIER, now=now)
    except circuit_breaker.RetryLater as later:
        return Claim(row, retry_at=later.at)
    row.claimed_until = now + LEASE
    return Claim(row)


async def store_answer(
    session: AsyncSession,
    services: Services,
    row: EmailCheck,
    address: Address,
    answer: Answer,
    *,
    final: bool = False,
) -> CheckResult:
    """Store an answer of Hunter, unless the row was deleted meanwhile. With `final`, store a failure too."""
    now = services.clock()
    status: Status | None = None
    if answer.outcome is Outcome.ANSWER:
        status = answer.value
    elif answer.outcome is Outcome.NOTHING or final:
        status = Status.UNKNOWN
    if answer.outcome is Outcome.RESTRICTED:
        await restrict(session, services, address)
    else:
        values = {"status": status, "checked_at": now, "provider": hunter.NAME} if status else {}
        unrestricted = EmailCheck.status.is_distinct_from(Status.RESTRICTED)
        statement = update(EmailCheck).where(EmailCheck.id == row.id, unrestricted)
        await session.execute(statement.values(claimed_until=None, **values))
    services.metrics.add(PROVIDER_REQUESTS, hunter.VERIFIER.provider, answer.outcome)
    await circuit_breaker.record_outcome(session, hunter.VERIFIER, answer.outcome, now=now)
    return CheckResult(status or Status.UNKNOWN, hunter.NAME, now if status else None)


async def restrict(session: AsyncSession, services: Services, address: Address) -> None:
    """Record for ever, as a keyed hash, that an address must not be processed."""
    now, address_mac = services.clock(), mac_of(services, address.key)
    values = {"status": Status.RESTRICTED, "checked_at": now, "provider": hunter.NAME}
    await insert_if_absent(session, EmailCheck, address_mac=address_mac, created_at=now, **values)
    statement = update(EmailCheck).where(EmailCheck.address_mac == address_mac)
    await session.execute(statement.values(claimed_until=None, **values))


async def is_restricted(session: AsyncSession, services: Services, address: Address) -> bool:
    """Return whether an address must not be processed."""
    own = EmailCheck.address_mac == mac_of(services, address.key)
    query = select(EmailCheck.id).where(own, EmailCheck.status == Status.RESTRICTED)
    return await session.scalar(query) is not None


async def known_of(session: AsyncSession, services: Services, email: str) -> CheckResult:
    """Return the stored result of an address."""
    address = addresses.parse(email)
    own = EmailCheck.address_mac == mac_of(services, address.key)
    row = await session.scalar(select(EmailCheck).where(own))
    if row is None and disposable.is_disposable(address.key):
        return CheckResult(Status.DISPOSABLE, disposable.NAME)
    return _result(row) if row else CheckResult()


async def link(session: AsyncSession, services: Services, user: User) -> None:
    """Link the check of an address to the account that has got the address, whose erasure deletes it."""
    if services.settings.address_check != "off" and user.email_key is not None:
        own = EmailCheck.address_mac == mac_of(services, user.email_key)
        await session.execute(update(EmailCheck).where(own).values(user_id=user.id))


def job_kinds(settings: Settings) -> Sequence[str]:
    """Return the kinds of jobs that check the address of a new account."""
    return [CHECK] if settings.address_check != "off" else []


def _result(row: EmailCheck) -> CheckResult:
    status = Status(row.status) if row.status else Status.UNKNOWN
    return CheckResult(status, row.provider, row.checked_at)


def mac_of(services: Services, email_key: str) -> bytes:
    """Return the keyed hash by which the check of an address is found."""
    return hmac_of(services.keys.checked_addresses, email_key.encode())
