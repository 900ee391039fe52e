"""Participants: people whom the server of a product reports by its own ids."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.attribution import service as attribution
from goodword.attribution.service import Claim, Refused
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes import service as codes
from goodword.codes.models import ReferralCode
from goodword.codes.schemas import CodeCreate
from goodword.db.statements import insert_if_absent, with_defaults
from goodword.db.transaction_hooks import run_after_commit
from goodword.domain_events import service as domain_events
from goodword.domain_events.events import UserCreated
from goodword.errors import Conflict, Unprocessable
from goodword.participants import access
from goodword.participants.access import Scope
from goodword.participants.schemas import ParticipantReferral, ParticipantWrite, ReferrerRead, Warnings
from goodword.participants.state import State, find_code, find_referral, has_had_code
from goodword.programs.models import Program, ProgramStatus
from goodword.referrals.attributed import Attributed
from goodword.referrals.models import ReferralStatus
from goodword.risk import service as risk
from goodword.risk.service import Referred
from goodword.services import Services
from goodword.telemetry.metrics import SIGN_UPS
from goodword.users import addresses
from goodword.users.models import User, UserStatus

LEEWAY = timedelta(seconds=60)
"""How far the clock of a product may be ahead."""


class TimeInFuture(Unprocessable):
    code, field = "time_in_future", "body.signed_up_at"
    detail = "The sign-up cannot be in the future."


@dataclass(slots=True)
class Upserted:
    state: State
    is_new: bool
    warnings: list[Warnings] = field(default_factory=list)


def claim_of(body: ParticipantWrite) -> Claim | None:
    """Return what the body says about a referrer, or None."""
    if body.referral_code is None and not body.touch:
        return None
    return Claim(body.referral_code, body.touch or ())


async def upsert(
    session: AsyncSession, services: Services, external_id: str, body: ParticipantWrite, scope: Scope
) -> Upserted:
    """Create or change a participant. The first call gives a code and attributes; no call changes the referrer.

    Raises `ExternalIdTaken`, `ParticipantDisabled` and `TimeInFuture`.
    """
    now = services.clock()
    check_time(body, now)
    while True:
        user = await session.scalar(access.FIND, {"external_id": external_id})
        if user is not None:
            access.check(user, scope.limit)
            if updated := await _update(session, services, user, body, scope):
                return updated
        # Not inserted if a concurrent call has just made the person.
        elif user := await insert_if_absent(session, User, **new_row(external_id, body, scope, now)):
            await record_new(session, services, user)
            return await _complete(session, services, user, body, scope, is_new=True)


async def _update(
    session: AsyncSession, services: Services, user: User, body: ParticipantWrite, scope: Scope
) -> Upserted | None:
    """Change a participant who exists. Return None if the person was just erased, or merged with an account.

    The attribution locks the person itself, after the locks that come first. A report that changes nothing locks
    nothing: a product sends one at each sign-in of a user.
    """
    user_id, external_id = user.id, user.external_id
    outcome = await attribute(session, services, user, body, scope, is_new=False)
    values = changes(body, services.clock())
    if not isinstance(outcome, Attributed) and not _changed(user, values):
        return await _complete(session, services, user, body, scope, is_new=False, outcome=outcome)
    found = await session.scalar(access.LOCKED, {"external_id": external_id})
    if found is None or found.id != user_id:
        if isinstance(outcome, Attributed):
            raise Conflict
        return None
    access.check(found, scope.limit)
    await apply(session, found, values)
    return await _complete(session, services, found, body, scope, is_new=False, outcome=outcome)


def _changed(user: User, values: Mapping[str, Any]) -> set[str]:
    """Return the names of the values that differ from those of the user."""
    return {name for name, value in values.items() if getattr(user, name) != value}


def check_time(body: ParticipantWrite, now: datetime) -> None:
    """Raise `TimeInFuture`."""
    if body.signed_up_at is not None and body.signed_up_at > now + LEEWAY:
        raise TimeInFuture


def new_row(external_id: str, body: ParticipantWrite, scope: Scope, now: datetime) -> dict[str, Any]:
    """Return the row of a new participant."""
    values = {"external_id": external_id, "program_id": scope.limit, "created_at": now}
    return with_defaults(User, changes(body, now) | values)


async def record_new(session: AsyncSession, services: Services, user: User) -> None:
    """Record, publish and count a new participant."""

    async def count() -> None:
        services.metrics.add(SIGN_UPS, "server")

    record(session, Action.USER_REGISTERED, Subject.USER, user.id, by="server")
    run_after_commit(session, count)
    await domain_events.publish(session, services, UserCreated(user.id, user.created_at))


async def apply(session: AsyncSession, user: User, values: Mapping[str, Any]) -> None:
    """Change the given fields of a participant, who is locked."""
    changed = _changed(user, values)
    if not changed:
        return
    for name in changed:
        setattr(user, name, values[name])
    await session.flush()
    if changed & {"first_name", "last_name"}:
        await codes.invalidate_lookups(session, user)
    record(session, Action.USER_CHANGED, Subject.USER, user.id, fields=" ".join(sorted(changed)))


def changes(body: ParticipantWrite, now: datetime) -> dict[str, Any]:
    """Return the columns that a body sets."""
    given = body.model_fields_set
    names = ("first_name", "last_name", "language")
    values: dict[str, Any] = {name: getattr(body, name) for name in names if name in given}
    if "email" in given:
        address = addresses.parse(body.email) if body.email is not None else None
        values["reported_email"] = address.text if address else None
        values["reported_email_key"] = address.key if address else None
        values["reported_email_canonical"] = address.canonical if address else None
    if "signed_up_at" in given:
        values["signed_up_at"] = min(body.signed_up_at, now) if body.signed_up_at is not None else None
    return values


async def _complete(
    session: AsyncSession,
    services: Services,
    user: User,
    body: ParticipantWrite,
    scope: Scope,
    *,
    is_new: bool,
    outcome: Attributed | Refused | None = None,
) -> Upserted:
    """Attribute a new person, give a code, and collect what the answer shows."""
    if is_new:
        outcome = await attribute(session, services, user, body, scope, is_new=True)
    now = services.clock()
    program, referral, warnings = await record_outcome(session, services, user, scope, outcome, now=now)
    if is_new:
        code = await _give_code(session, services, user, program, now=now)
    else:
        referral = referral or await find_referral(session, user.id, scope.within)
        code = await find_code(session, user.id, scope.within, now=now)
        code = code or await give_first_code(session, services, user, scope, now=now)
    if "reported_email_key" in changes(body, now) and await _is_in_use(session, user):
        warnings.append(Warnings.EMAIL_IN_USE)
    return Upserted(State(user, code, referral), is_new, warnings)


class Joined(NamedTuple):
    program: Program
    """That of the code by which the person joined, else that of the call."""
    referral: ParticipantReferral | None
    warnings: list[Warnings]


async def record_outcome(
    session: AsyncSession,
    services: Services,
    user: User,
    scope: Scope,
    outcome: Attributed | Refused | None,
    *,
    now: datetime,
) -> Joined:
    """Record what the attribution has decided about a person.

    What a server reports is confirmed at once, unless it is held.
    """
    if not isinstance(outcome, Attributed):
        return Joined(scope.program, None, [Warnings(outcome.reason)] if outcome else [])
    program = await services.programs.get(outcome.program_id)
    made = await risk.refer(session, services, outcome, user, claim=None, confirmed=True, now=now)
    return Joined(program, _made(made, outcome, now), [])


async def attribute(
    session: AsyncSession,
    services: Services,
    user: User,
    body: ParticipantWrite,
    scope: Scope,
    *,
    is_new: bool,
) -> Attributed | Refused | None:
    """Decide who referred a participant."""
    claim = claim_of(body)
    if claim is None:
        return None
    address = addresses.parse(body.email) if body.email is not None else None
    return await attribution.attribute(
        session,
        services,
        claim,
        referee=user,
        email_key=address.key if address else None,
        mailbox=address.canonical if address else None,
        is_new=is_new,
        within=scope.within,
    )


def gives_codes(program: Program) -> bool:
    """Return whether new participants of the program get a code."""
    return program.code_lifetime is not None and program.status != ProgramStatus.ENDED


async def give_first_code(
    session: AsyncSession, services: Services, user: User, scope: Scope, *, now: datetime
) -> ReferralCode | None:
    """Give a code to a person who exists and has never had one in the program."""
    if not gives_codes(scope.program):
        return None
    locked = await session.scalar(access.LOCKED, {"external_id": user.external_id})
    if locked is not user or await has_had_code(session, user.id, scope.within):
        return None
    return await _give_code(session, services, user, scope.program, now=now)


async def _give_code(
    session: AsyncSession, services: Services, user: User, program: Program, *, now: datetime
) -> ReferralCode | None:
    """Give a code where the program does so by itself."""
    if not gives_codes(program) or program.code_lifetime is None:
        return None
    body = CodeCreate.model_validate({"lifetime": program.code_lifetime})
    return await codes.create(session, services, user, body, program_id=program.id, now=now)


async def _is_in_use(session: AsyncSession, user: User) -> bool:
    """Return whether the reported address is that of another person's account."""
    if user.reported_email_key is None:
        return False
    place = {"email_key": user.reported_email_key, "user_id": user.id}
    return await session.scalar(_IN_USE, place) is not None


def _made(made: Referred, attributed: Attributed, now: datetime) -> ParticipantReferral:
    """Return the referral that this transaction records. It is inserted just before the commit."""
    return ParticipantReferral(
        id=made.id,
        status=made.status,
        referrer=ReferrerRead(external_id=attributed.referrer_external_id, display_name=attributed.referrer),
        code=attributed.code,
        attributed_by=attributed.attributed_by,
        touch=attributed.touch_id,
        reason=None,
        created_at=now,
        confirmed_at=now if made.status == ReferralStatus.CONFIRMED else None,
    )


_IN_USE = select(User.id).where(
    User.email_key == bindparam("email_key"),
    User.id != bindparam("user_id"),
    User.status != UserStatus.ERASED,
)
