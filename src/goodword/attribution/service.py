"""Who referred a person: decides by the code that is given, or by touches, and uses the code."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.attribution import ancestors, history, reasons, records
from goodword.attribution.history import Touched
from goodword.attribution.reasons import Person, Reason
from goodword.codes import code_format, redemption
from goodword.codes.models import ReferralCode
from goodword.domain_events import service as domain_events
from goodword.domain_events.events import CircleRefused
from goodword.programs.models import Program
from goodword.referrals.attributed import Attributed
from goodword.referrals.models import AttributedBy, Referral
from goodword.services import Services
from goodword.users.models import User, UserStatus, display_name

LOCK = 0x60_0D_AE
"""Number of the advisory lock of `serialize`."""
MAX_TOUCHES = 20


@dataclass(frozen=True, slots=True)
class Claim:
    """What a person brings: a code as people paste it, and touches."""

    code: str | None = None
    touch_ids: Sequence[uuid.UUID] = ()
    network: bytes = b""
    """Where the person enters the code: `ip_address.network`. Unknown if a server calls."""
    user_agent: str | None = None

    @property
    def has_code(self) -> bool:
        """Return whether a code was entered. An empty field of a form is none."""
        return self.code is not None and bool(code_format.remove_layout(self.code))


@dataclass(frozen=True, slots=True)
class Refused:
    reason: Reason
    code_id: uuid.UUID | None = None


class _Candidate(NamedTuple):
    claim: Claim
    key: str
    """The normalised code."""
    touch: Touched | None


class Place(NamedTuple):
    code: ReferralCode
    program: Program
    owner: User


class Examined(NamedTuple):
    reason: Reason | None
    place: Place | None = None
    is_repeated: bool = False
    """The person was attributed by this code before."""

    @property
    def code_id(self) -> uuid.UUID | None:
        return self.place.code.id if self.place else None


async def attribute(
    session: AsyncSession,
    services: Services,
    claim: Claim,
    *,
    referee: User | None,
    email_key: str | None,
    mailbox: str | None = None,
    is_new: bool,
    within: uuid.UUID | None,
) -> Attributed | Refused | None:
    """Decide who referred a person, and use the code once. The caller records the referral.

    `referee` is None or a user whom this transaction has inserted if the person is new. `within` is the only program
    whose codes count. Return None if there is nothing to attribute: no code and no touch that counts, or the code by
    which the person was attributed before. The rules are in docs/attribution.md.

    For a person who exists, call this before the transaction has locked the row, or after `serialize`.
    """
    now = services.clock()
    person = make_person(services, referee, email_key=email_key, mailbox=mailbox, is_new=is_new)
    candidate = await _find(session, claim, person, within=within, now=now)
    if candidate is None:
        return None
    may_count = candidate.touch is None or candidate.touch.reason() is None
    if is_new and may_count:
        owner = await redemption.lock_owner(session, candidate.key)
        if owner is not None and owner.status == UserStatus.ACTIVE and not person.owns(owner):
            attributed = await _use(session, services, candidate, owner, person, within=within)
            if attributed is not None:
                return attributed
    found = await _attribute_checked(session, services, candidate, person, within=within)
    if isinstance(found, Refused) and referee is not None:
        await records.record_refusal(session, referee, found.reason, found.code_id)
        if found.reason is Reason.REFERRAL_CYCLE and found.code_id is not None:
            await domain_events.publish(session, services, CircleRefused(found.code_id, now))
    return found


async def prepare(services: Services, claim: Claim) -> None:
    """Wait until the touches of a claim are stored. Call this before the transaction of `attribute`."""
    for touch_id in claim.touch_ids[:MAX_TOUCHES]:
        await services.touches.find(touch_id)


async def serialize(session: AsyncSession) -> None:
    """Wait for other transactions that attribute people who exist, or that merge people.

    A new person cannot close a circle of referrals; they can. On SQLite there is one writer at a time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(_SERIALIZE)


def make_person(
    services: Services, user: User | None, *, email_key: str | None, mailbox: str | None = None, is_new: bool
) -> Person:
    """Return the person of a claim. Pass the address and its canonical form if they are not stored yet."""
    keys = {email_key} | ({user.email_key, user.reported_email_key} if user else set())
    if services.settings.self_referrals != "refuse":
        mailbox = None
    elif mailbox is None and user is not None:
        mailbox = next(iter(reasons.mailboxes_of(user)), None)
    return Person(user, is_new, frozenset(key for key in keys if key), mailbox)


async def examine(
    session: AsyncSession,
    key: str,
    touch: Touched | None,
    person: Person,
    *,
    within: uuid.UUID | None,
    now: datetime,
) -> Examined:
    """Return why this person cannot be attributed by a code now: the first reason that holds. Write nothing."""
    row = (await session.execute(_PLACE, {"code_key": key})).one_or_none()
    if row is None or within not in {None, row.Program.id}:
        return Examined(Reason.CODE_UNKNOWN)
    code, program, owner = place = Place(row.ReferralCode, row.Program, row.User)
    referred = None
    if person.user is not None and not person.is_new:
        values = {"referee_id": person.user.id, "program_id": program.id}
        referred = await session.scalar(_REFERRED_BY, values)
        if referred == code.id:
            return Examined(None, place, is_repeated=True)
    ended_since = history.ended_since(program, person.joined_at(now)) if touch else None
    reason = touch.reason() if touch else None
    reason = reason or reasons.of_code(code, program, owner, now=now, ended_since=ended_since)
    if reason is None and person.owns(owner):
        reason = Reason.SELF_REFERRAL
    if reason is None and referred is not None:
        reason = Reason.ALREADY_REFERRED
    if reason is None and await _closes_circle(session, person, owner, program):
        reason = Reason.REFERRAL_CYCLE
    if reason is None and person.is_late(program, now):
        reason = Reason.ALREADY_REGISTERED
    return Examined(reason, place)


async def _find(
    session: AsyncSession, claim: Claim, person: Person, *, within: uuid.UUID | None, now: datetime
) -> _Candidate | None:
    """Return the code that decides: the one that is given, else that of the touch that counts."""
    joined_at, touches = person.joined_at(now), list[Touched]()
    if claim.touch_ids:
        touches = await history.load(
            session, claim.touch_ids[:MAX_TOUCHES], within=within, joined_at=joined_at
        )
    if not claim.has_code:
        touch = history.choose(touches, now=now, joined_at=joined_at)
        return _Candidate(claim, touch.code.key or "", touch) if touch else None
    key = code_format.normalise(claim.code or "") or ""
    # A link has both the code and the touch. Then the touch tells that the code was usable.
    own = [touch for touch in touches if touch.code.key == key and touch.reason() is None]
    return _Candidate(claim, key, history.choose(own, now=now, joined_at=joined_at))


async def _attribute_checked(
    session: AsyncSession,
    services: Services,
    candidate: _Candidate,
    person: Person,
    *,
    within: uuid.UUID | None,
) -> Attributed | Refused | None:
    """Attribute a person after all checks, under the locks that they need."""
    key, touch = candidate.key, candidate.touch
    if person.user is not None and not person.is_new:
        # Most claims of people who exist are refused, and need no lock for that.
        found = await examine(session, key, touch, person, within=within, now=services.clock())
        if found.reason or found.is_repeated:
            return _refused(found)
        await serialize(session)
        await session.execute(_LOCK_REFEREE, {"referee_id": person.user.id})
    owner = await redemption.lock_owner(session, key)
    found = await examine(session, key, touch, person, within=within, now=services.clock())
    if owner is None or found.reason or found.is_repeated:
        return _refused(found)
    used = await _use(session, services, candidate, owner, person, within=within)
    return used or Refused(Reason.CODE_EXPIRED, found.code_id)  # at this moment


async def _use(
    session: AsyncSession,
    services: Services,
    candidate: _Candidate,
    owner: Row[Any],
    person: Person,
    *,
    within: uuid.UUID | None,
) -> Attributed | None:
    """Use the code of the locked owner. The clock is read after the wait for the lock."""
    if within not in {None, owner.program_id}:
        return None
    now, touch = services.clock(), candidate.touch
    ended_since = history.ended_since(touch.program, person.joined_at(now)) if touch else None
    used = await redemption.use(session, candidate.key, owner, now=now, ended_since=ended_since)
    if used is None:
        return None
    network, user_agent = candidate.claim.network, candidate.claim.user_agent
    if touch is not None:
        touch_id = touch.id
    else:
        touch_id = records.record_entry(
            session, services, used, network=network, user_agent=user_agent, now=now
        )
    return Attributed(
        code_id=used.code_id,
        referrer_id=owner.id,
        referrer=display_name(owner.first_name, owner.last_name),
        referrer_external_id=owner.external_id,
        program_id=used.program_id,
        attributed_by=AttributedBy.CODE
        if candidate.claim.has_code and now < used.expires_at
        else AttributedBy.TOUCH,
        touch_id=touch_id,
        code=owner.code,
        is_notified=owner.email_key is not None,
    )


def _refused(found: Examined) -> Refused | None:
    if found.is_repeated:
        return None
    return Refused(found.reason or Reason.CODE_UNKNOWN, found.code_id)


async def _closes_circle(session: AsyncSession, person: Person, owner: User, program: Program) -> bool:
    """Return whether the person referred the owner, directly or not."""
    if person.user is None or person.is_new:
        return False
    return person.user.id in await ancestors.referrers_above(session, owner.id, program.id)


_SERIALIZE = select(func.pg_advisory_xact_lock(LOCK))
_LOCK_REFEREE = select(User.id).where(User.id == bindparam("referee_id")).with_for_update(key_share=True)
_PLACE = (
    select(ReferralCode, Program, User)
    .join(Program, Program.id == ReferralCode.program_id)
    .join(User, User.id == ReferralCode.owner_id)
    .where(ReferralCode.key == bindparam("code_key"))
    .execution_options(populate_existing=True)
)
_OWN = (Referral.referee_id == bindparam("referee_id"), Referral.program_id == bindparam("program_id"))
_REFERRED_BY = select(Referral.code_id).where(*_OWN)
