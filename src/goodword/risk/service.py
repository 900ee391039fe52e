"""The risk of a referral: signals that the referee may not be a new person, each with a level."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.attribution.service import Claim
from goodword.crypto import hmac_of
from goodword.db.statements import with_defaults
from goodword.db.transaction_hooks import insert_before_commit, waiting_rows
from goodword.providers import disposable, email_checks
from goodword.providers.models import Status
from goodword.referrals import service as referrals
from goodword.referrals.attributed import Attributed
from goodword.referrals.models import Referral, ReferralStatus
from goodword.risk import statements
from goodword.risk.models import Level, RiskSignal, SignalKind
from goodword.services import Services
from goodword.sessions.seen_clients import ClientHashes
from goodword.touches.service import made_at
from goodword.users import addresses
from goodword.users.addresses import Address
from goodword.users.models import User

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
_SIGNALS: Any = RiskSignal.__table__
_REFERRALS: Any = Referral.__table__
_LEVELS = tuple(Level)


@dataclass(frozen=True, slots=True)
class Signal:
    kind: SignalKind
    level: Level
    number: int | None = None
    evidence: bytes | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """What speaks against a referral that is about to be recorded."""

    signals: Sequence[Signal] = ()
    registered_before: bool = False
    """The person was referred in the program before, and erased."""

    @property
    def level(self) -> Level | None:
        """Return the highest level of the signals."""
        return max((signal.level for signal in self.signals), key=_LEVELS.index, default=None)

    def status(self, confirmed: bool) -> ReferralStatus:
        """Return the status of the referral: held if the risk is high, else confirmed or pending."""
        if self.level is Level.HIGH:
            return ReferralStatus.HELD
        return ReferralStatus.CONFIRMED if confirmed else ReferralStatus.PENDING


class Referred(NamedTuple):
    id: uuid.UUID
    status: ReferralStatus


async def assess(
    session: AsyncSession,
    services: Services,
    attributed: Attributed,
    referee: User,
    *,
    claim: Claim | None,
    now: datetime,
) -> Assessment:
    """Assess a referral before it is recorded, with one statement. The referrer is locked, so the count is exact.

    The network and the user agent are those of the claim. If a server calls, they are unknown, and those of the touch
    count instead, at the time of the touch.
    """
    address, seen_at, touch_id, hashes = _address_of(referee), now, None, ClientHashes()
    if claim is not None:
        hashes = services.touches.hashes(claim.network, claim.user_agent)
    elif attributed.touch_id is not None:
        touch_id = attributed.touch_id
        seen_at = datetime.fromtimestamp(made_at(touch_id) or now.timestamp(), now.tzinfo)
    values = {
        **hashes._asdict(),
        "touch_id": touch_id,
        "seen_from": seen_at - DAY,
        "seen_until": seen_at + DAY,
        "referrer_id": attributed.referrer_id,
        "referee_id": referee.id,
        "program_id": attributed.program_id,
        "code_id": attributed.code_id,
        "since": now - HOUR,
        "most": services.settings.risk_held_sign_ups_per_hour,
        "mailbox": address.canonical if address else None,
        "address_mac": email_checks.mac_of(services, address.key) if address else None,
    }
    values |= dict(zip(("person_mac", "other_mac"), macs_of(services, referee), strict=True))
    facts = (await session.execute(statements.FACTS, values)).one()
    waiting = sum(row["code_id"] == attributed.code_id for row in waiting_rows(session, _REFERRALS))
    found = [
        *_client_signals(facts),
        *_address_signals(services, address, facts),
        *_velocity_signal(services, facts.sign_ups + waiting + 1),
    ]
    if facts.registered_before:
        found.append(Signal(SignalKind.REGISTERED_BEFORE, Level.MEDIUM))
    return Assessment(found, registered_before=facts.registered_before)


async def refer(
    session: AsyncSession,
    services: Services,
    attributed: Attributed,
    referee: User,
    *,
    claim: Claim | None,
    confirmed: bool,
    now: datetime,
) -> Referred:
    """Assess and record a referral with its signals, held if the risk is high. Both are inserted before the commit.

    `claim` is the code or touch of the referee, or None if a server calls.
    """
    found = await assess(session, services, attributed, referee, claim=claim, now=now)
    status, before = found.status(confirmed), found.registered_before
    referral_id = await referrals.record(
        session, services, attributed, referee, status=status, registered_before=before, now=now
    )
    _record(session, referral_id, found, now=now)
    return Referred(referral_id, status)


def macs_of(services: Services, user: User) -> tuple[bytes | None, bytes | None]:
    """Return the keyed hashes by which a person is recognised after an erasure: of the mailbox and the external id."""
    key, address = services.keys.former_referees, _address_of(user)
    return (
        hmac_of(key, b"mailbox", address.canonical.encode()) if address else None,
        hmac_of(key, b"external id", user.external_id.encode()) if user.external_id is not None else None,
    )


def _address_of(user: User) -> Address | None:
    """Return the address of an account, else the one that a server reported."""
    text = user.email or user.reported_email
    return addresses.parse(text) if text else None


def _client_signals(facts: Row[Any]) -> Sequence[Signal]:
    """Return the signals of a network and a user agent that the referrer had too. Only both together are medium."""
    level = Level.MEDIUM if facts.same_network and facts.same_device else Level.LOW
    found = []
    if facts.same_network:
        found.append(Signal(SignalKind.SAME_NETWORK, level, evidence=facts.network_mac))
    if facts.same_device:
        found.append(Signal(SignalKind.SAME_DEVICE, level, evidence=facts.device_mac))
    return found


def _address_signals(services: Services, address: Address | None, facts: Row[Any]) -> Sequence[Signal]:
    settings = services.settings
    if address is None or _is_allowed(address, settings.risk_allowed_domains):
        return []
    found = []
    if facts.same_mailbox and settings.self_referrals != "allow":
        level = Level.HIGH if settings.self_referrals == "hold" else Level.MEDIUM
        found.append(Signal(SignalKind.SAME_MAILBOX, level))
    if facts.email_status == Status.DISPOSABLE or disposable.is_disposable(address.key):
        level = Level.HIGH if settings.email_disposable == "hold" else Level.MEDIUM
        found.append(Signal(SignalKind.DISPOSABLE_ADDRESS, level))
    return found


def _velocity_signal(services: Services, sign_ups: int) -> Sequence[Signal]:
    settings = services.settings
    if sign_ups > settings.risk_held_sign_ups_per_hour:
        return [Signal(SignalKind.VELOCITY, Level.HIGH, sign_ups)]
    if sign_ups > settings.risk_sign_ups_per_hour:
        return [Signal(SignalKind.VELOCITY, Level.MEDIUM, sign_ups)]
    return []


def _is_allowed(address: Address, domains: Sequence[str]) -> bool:
    domain = address.key.rpartition("@")[2]
    return any(domain == allowed or domain.endswith(f".{allowed}") for allowed in domains)


def _record(session: AsyncSession, referral_id: uuid.UUID, assessment: Assessment, *, now: datetime) -> None:
    for signal in assessment.signals:
        values = {
            "referral_id": referral_id,
            "kind": signal.kind,
            "level": signal.level,
            "number": signal.number,
            "evidence_mac": signal.evidence,
            "created_at": now,
        }
        insert_before_commit(session, _SIGNALS, with_defaults(RiskSignal, values))
