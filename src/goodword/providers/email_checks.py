"""Rules about checked addresses: each is asked about once, and every doubt lets people in."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit import service as audit
from goodword.audit.actions import Action, Subject
from goodword.config.settings import Settings
from goodword.crypto import derive_key, hmac_of
from goodword.db.statements import insert_if_absent
from goodword.errors import TooManyRequests, Unprocessable
from goodword.providers import circuit_breaker, disposable, hunter
from goodword.providers.models import KEPT, VERDICTS, EmailCheck, Status, Verdict
from goodword.providers.responses import Answer, Outcome
from goodword.rate_limits import quotas
from goodword.rate_limits.quotas import QuotaExceeded
from goodword.services import Services
from goodword.users import addresses
from goodword.users.addresses import Address
from goodword.users.models import User

DAY = timedelta(days=1)
CHECKS_PER_DAY = 20
QUOTA = "email_checks"
BLOCKING_BUDGET = 1.5
"""Seconds that a sign-up waits for a verdict."""
LOOK_BUDGET = 5.0
"""Seconds that somebody who asks for a verdict waits for it."""
LEASE = timedelta(seconds=20)
"""How long the others wait for whoever is asking: longer than any question takes."""
PAUSE = 0.05


class TooManyChecks(TooManyRequests):
    code, detail = "too_many_checks", "You may check 20 addresses a day. Try again later."


class EmailUndeliverable(Unprocessable):
    code, field = "email_undeliverable", "body.email"
    detail = "Mail to this address does not arrive, or not for long. Give another one."


@dataclass(frozen=True, slots=True)
class KnownVerdict:
    """What is known of an address, from whom and since when."""

    status: Status = Status.UNKNOWN
    provider: str | None = None
    checked_at: datetime | None = None

    @property
    def verdict(self) -> Verdict:
        return VERDICTS.get(self.status, Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Claim:
    """Whether it is for us to ask: only if there is neither an answer yet nor a moment to wait for."""

    check: EmailCheck
    known: KnownVerdict | None = None
    again_at: datetime | None = None


async def count_check(session: AsyncSession, key: bytes, user_id: uuid.UUID, *, now: datetime) -> None:
    """Count a check that a user asks for: it may cost the operator a credit. Raise `TooManyChecks`."""
    try:
        await quotas.take(session, key, QUOTA, str(user_id), limit=CHECKS_PER_DAY, period=DAY, now=now)
    except QuotaExceeded as exceeded:
        raise TooManyChecks(headers=exceeded.headers(now)) from None
    audit.record(session, Action.EMAIL_CHECKED, Subject.USER, user_id)


async def admit(services: Services, email: str) -> None:
    """Raises `EmailUndeliverable` for an address that surely is, as far as the settings want to know."""
    settings, address = services.settings, addresses.parse(email)
    refused = {Status.INVALID}
    if settings.email_disposable == "refuse":
        refused.add(Status.DISPOSABLE)
        if disposable.is_disposable(address.key):
            raise EmailUndeliverable
    if settings.address_check != "blocking":
        return
    known = await look(services, address, budget=BLOCKING_BUDGET)
    if known.status in refused:
        raise EmailUndeliverable


async def look(
    services: Services, address: Address, *, budget: float = LOOK_BUDGET, patient: bool = False
) -> KnownVerdict:
    """What is known of an address; where nothing is, within `budget` seconds, what Hunter says of it.

    The `patient` wait for their turn when others ask a lot. Sign-ups do not: hundreds of them at once would
    keep asking the database whether it is theirs.
    """
    now = services.clock()
    if disposable.is_disposable(address.key):
        return KnownVerdict(Status.DISPOSABLE, disposable.NAME, now)
    if services.settings.address_check == "off":
        return KnownVerdict()
    time = asyncio.get_running_loop().time
    deadline = time() + budget
    # The whole budget is for them, not for our database: cutting off a statement helps nobody.
    async with services.database.transaction() as session:
        turn = await take_turn(session, services, address)
    while patient and turn.again_at is not None and turn.check.asked_until is None:
        free_in = max((turn.again_at - services.clock()).total_seconds(), PAUSE)
        if time() + free_in > deadline:
            break
        await asyncio.sleep(free_in)
        async with services.database.transaction() as session:
            turn = await take_turn(session, services, address)
    if turn.known:
        return turn.known
    if turn.again_at is not None:
        # A twin is asking, most likely. If all are told to wait, its row says so, and there is no answer.
        while turn.check.asked_until and time() < deadline:
            await asyncio.sleep(PAUSE)
            async with services.database.readers() as reader:
                check = await reader.get(EmailCheck, turn.check.id)
            if check is None or check.asked_until is None:
                return KnownVerdict() if check is None else _known(check)
        return KnownVerdict(provider=hunter.NAME)
    finding = await hunter.verify(
        services.http_client, services.settings, address.key, budget=max(deadline - time(), 0.05)
    )
    async with services.database.transaction() as session:
        return await record(session, services, turn.check, address, finding)


async def take_turn(session: AsyncSession, services: Services, address: Address) -> Claim:
    """What is known, or that it is for us to ask, or when to come back. The turn counts after the commit."""
    now, address_mac = services.clock(), _mac(services.settings, address.key)
    # The account before what belongs to it, as everywhere: so an erasure comes before this, or sees it.
    owner = await session.scalar(
        select(User.id).where(User.email_key == address.key).with_for_update(key_share=True)
    )
    await insert_if_absent(
        session, EmailCheck, address_mac=address_mac, provider=hunter.NAME, created_at=now, user_id=owner
    )
    check = await session.scalar(
        select(EmailCheck)
        .where(EmailCheck.address_mac == address_mac)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    assert check is not None, "it was just made, or there before"
    check.user_id = owner or check.user_id
    if check.is_fresh(now):
        return Claim(check, known=_known(check))
    if check.asked_until is not None and now < check.asked_until:
        return Claim(check, again_at=check.asked_until)
    check.asked_until = None
    try:
        await circuit_breaker.acquire(session, hunter.VERIFIER, now=now)
    except circuit_breaker.RetryLater as later:
        return Claim(check, again_at=later.at)
    check.asked_until = now + LEASE
    return Claim(check)


async def record(
    session: AsyncSession,
    services: Services,
    check: EmailCheck,
    address: Address,
    finding: Answer,
    *,
    last: bool = False,
) -> KnownVerdict:
    """Keep the answer, unless the address was erased meanwhile. `last`: if it is none, nobody asks again soon."""
    now = services.clock()
    status: Status | None = None
    if finding.said is Outcome.ANSWER:
        status = finding.what
    elif finding.said is Outcome.NOTHING or last:
        status = Status.UNKNOWN
    if finding.said is Outcome.RESTRICTED:
        await restrict(session, services, address)
    else:
        values = {"status": status, "checked_at": now, "provider": hunter.NAME} if status else {}
        await session.execute(
            update(EmailCheck)
            .where(EmailCheck.id == check.id, EmailCheck.status.is_distinct_from(Status.RESTRICTED))
            .values(asked_until=None, **values)
        )
    await circuit_breaker.record_outcome(session, hunter.VERIFIER, finding.said, now=now)
    return KnownVerdict(status or Status.UNKNOWN, hunter.NAME, now if status else None)


async def restrict(session: AsyncSession, services: Services, address: Address) -> None:
    """Never process this address again: remembered for good, as a keyed hash, even after an erasure."""
    now, address_mac = services.clock(), _mac(services.settings, address.key)
    found = {"status": Status.RESTRICTED, "checked_at": now, "provider": hunter.NAME}
    await insert_if_absent(session, EmailCheck, address_mac=address_mac, created_at=now, **found)
    await session.execute(
        update(EmailCheck).where(EmailCheck.address_mac == address_mac).values(asked_until=None, **found)
    )


async def is_restricted(session: AsyncSession, settings: Settings, address: Address) -> bool:
    query = select(EmailCheck.id).where(
        EmailCheck.address_mac == _mac(settings, address.key), EmailCheck.status == Status.RESTRICTED
    )
    return await session.scalar(query) is not None


async def known_of(session: AsyncSession, settings: Settings, email: str) -> KnownVerdict:
    """What is known of an address already. Nobody is asked."""
    address = addresses.parse(email)
    query = select(EmailCheck).where(EmailCheck.address_mac == _mac(settings, address.key))
    check = await session.scalar(query)
    if check is None and disposable.is_disposable(address.key):
        return KnownVerdict(Status.DISPOSABLE, disposable.NAME)
    return _known(check) if check else KnownVerdict()


async def link(session: AsyncSession, settings: Settings, user: User) -> None:
    """An address that was checked before its account was made belongs to that account from now on."""
    if settings.address_check != "off" and user.email_key is not None:
        address_mac = _mac(settings, user.email_key)
        await session.execute(
            update(EmailCheck).where(EmailCheck.address_mac == address_mac).values(user_id=user.id)
        )


def is_stale(now: datetime) -> ColumnElement[bool]:
    """What is too old to be believed. A prohibition never is."""
    old = or_(EmailCheck.checked_at <= now - KEPT, EmailCheck.checked_at.is_(None))
    unrestricted = EmailCheck.status.is_distinct_from(Status.RESTRICTED)
    return and_(EmailCheck.created_at <= now - KEPT, old, unrestricted)


def asked_about(settings: Settings) -> Sequence[str]:
    """The kinds of jobs about somebody new. Who they are is asked when their address is proven."""
    return [CHECK] if settings.address_check != "off" else []


CHECK = "check_email"
ENRICH = "enrich_profile"


def _known(check: EmailCheck) -> KnownVerdict:
    status = Status(check.status) if check.status else Status.UNKNOWN
    return KnownVerdict(status, check.provider, check.checked_at)


def _mac(settings: Settings, email_key: str) -> bytes:
    return hmac_of(derive_key(settings.secret, "checked addresses"), email_key.encode())
