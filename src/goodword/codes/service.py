"""Rules about referral codes: one in force for each owner, none without a term, no string twice."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes import code_format, lookup
from goodword.codes.models import CodeStatus, ReferralCode, Retirement, usable
from goodword.crypto import hmac_of
from goodword.db.statements import insert_if_absent
from goodword.errors import Conflict, NotFound, Unprocessable
from goodword.users.models import User, UserStatus, display_name

MIN_TERM = timedelta(seconds=60)
MAX_TERM = timedelta(days=366)
DRAWS = 8


class ActiveCodeExists(Conflict):
    code = "active_code_exists"
    detail = "You have an active code already. Delete it, or activate another one with `replace`."


class CodeTaken(Conflict):
    code, detail = "code_taken", "This string was given out before. Choose another."


class CodeExpired(Conflict):
    code, detail = "code_expired", "This code is past its term and cannot be activated."


class CodeRetired(Conflict):
    code, detail = "code_retired", "This code was taken out of force for good."


class CodeNotFound(NotFound):
    code, detail = "code_not_found", "There is no such code that can be used now."


class TermMissing(Unprocessable):
    code, detail = "term_missing", "Give a term of validity: either `expires_at` or `lifetime`."


class TermAmbiguous(Unprocessable):
    code, detail = "term_ambiguous", "Give either `expires_at` or `lifetime`, not both."


class TermTooShort(Unprocessable):
    code, detail = "term_too_short", "A code is valid for 60 seconds at least."

    def __init__(self, field: str) -> None:
        super().__init__()
        self.field = field


class TermTooLong(TermTooShort):
    code, detail = "term_too_long", "A code is valid for 366 days at most."


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A code that was just used, its owner, and how they are shown."""

    code_id: uuid.UUID
    referrer_id: uuid.UUID
    referrer: str


def expires_at_from(expires_at: datetime | None, lifetime: int | None, *, now: datetime) -> datetime:
    """When a code given this term at `now` expires. Raises one of the `Term…` errors.

    The term is counted in whole seconds, rounded up: 60 seconds that took a moment to get here are 60.
    """
    if expires_at is None and lifetime is None:
        raise TermMissing
    if expires_at is not None and lifetime is not None:
        raise TermAmbiguous
    field = "body.lifetime" if expires_at is None else "body.expires_at"
    seconds = lifetime if lifetime is not None else ceil((_given(expires_at) - now).total_seconds())
    if seconds < MIN_TERM.total_seconds():
        raise TermTooShort(field)
    if seconds > MAX_TERM.total_seconds():
        raise TermTooLong(field)
    return expires_at or now + timedelta(seconds=seconds)


async def issue(
    session: AsyncSession,
    owner: User,
    *,
    expires_at: datetime,
    wanted: str | None,
    active: bool,
    max_uses: int | None,
    discoverable: bool,
    key: bytes,
    now: datetime,
) -> ReferralCode:
    """Give `owner`, who is locked, a new code; `key` is for the keyed hash of its string.

    Raises `CodeInForce` if it shall be active while another one works, and `CodeTaken`.
    """
    if wanted is not None:
        code_format.validate_chosen(wanted)
    if active:
        await _free_the_slot(session, owner, now)
    for _ in range(DRAWS):
        shown = wanted or code_format.generate()
        folded = code_format.normalise(shown) or ""
        code = await insert_if_absent(
            session,
            ReferralCode,
            owner_id=owner.id,
            code=shown,
            key=folded,
            key_mac=hmac_of(key, folded.encode()),
            kind="chosen" if wanted else "generated",
            created_at=now,
            expires_at=expires_at,
            activated_at=now if active else None,
            max_uses=max_uses,
            discoverable=discoverable,
        )
        if code is not None:
            lookup.invalidate(session, owner, code)
            _record(session, Action.CODE_ISSUED, code, kind=code.kind, active=active)
            return code
        if wanted is not None:
            raise CodeTaken
    raise Conflict  # out of 2^50 strings, several in a row were given out before


async def activate(
    session: AsyncSession, owner: User, code: str, *, replace: bool, now: datetime
) -> ReferralCode:
    """Put a prepared code of `owner`, who is locked, in force; one that is in force already stays so.

    Raises `CodeNotFound`, `CodeRetired`, `CodeExpired`, and `CodeInForce` unless `replace`.
    """
    found = await get(session, owner.id, code, lock=True)
    status = found.status(now)
    if status == CodeStatus.RETIRED:
        raise CodeRetired
    if status == CodeStatus.EXPIRED:
        raise CodeExpired
    if status == CodeStatus.PREPARED:
        await _free_the_slot(session, owner, now, replace=replace)
        found.activated_at = now
        await session.flush()
        lookup.invalidate(session, owner, found)
        _record(session, Action.CODE_ACTIVATED, found)
    return found


async def delete(session: AsyncSession, owner: User, code: str, *, now: datetime) -> None:
    """Take a code out of force and out of the owner's sight. Raises `CodeNotFound`, so also the second time."""
    found = await get(session, owner.id, code, lock=True)
    found.retired_at, found.retired_reason = found.retired_at or now, Retirement.DELETED
    await session.flush()
    lookup.invalidate(session, owner, found)
    _record(session, Action.CODE_RETIRED, found, why=Retirement.DELETED.value)


async def set_discoverable(
    session: AsyncSession, owner: User, code: str, *, discoverable: bool
) -> ReferralCode:
    """Let a code be found by the address of `owner`, who is locked, or hide it. Raises `CodeNotFound`."""
    found = await get(session, owner.id, code, lock=True)
    found.discoverable = discoverable
    await session.flush()
    lookup.invalidate(session, owner, found)
    _record(session, Action.CODE_CHANGED, found, discoverable=discoverable)
    return found


async def get(session: AsyncSession, owner_id: uuid.UUID, code: str, *, lock: bool = False) -> ReferralCode:
    """A code by its owner and string. Raises `CodeNotFound`; another's code is not found either."""
    key = code_format.normalise(code)
    if key is None:
        raise CodeNotFound
    query = select(ReferralCode).where(
        ReferralCode.owner_id == owner_id, ReferralCode.key == key, _NOT_DELETED
    )
    found = await session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise CodeNotFound
    return found


async def list_codes(
    session: AsyncSession,
    owner_id: uuid.UUID,
    *,
    status: CodeStatus | None,
    after: tuple[datetime, uuid.UUID] | None,
    limit: int,
    now: datetime,
    erased: bool = False,
) -> Sequence[ReferralCode]:
    """An owner's codes, newest first, those deleted left out; one row more than `limit` if there are more.

    Codes of an erased owner have no string, and nobody but an administrator (`erased`) gets to see them: not
    even the owner's other tab, let in a moment before, or by a node that has not heard of it.
    """
    position = (ReferralCode.created_at, ReferralCode.id)
    query = select(ReferralCode).where(ReferralCode.owner_id == owner_id, _NOT_DELETED)
    if not erased:
        query = query.where(ReferralCode.key.is_not(None))
    if status is not None:
        query = query.where(has_status(status, now))
    if after is not None:
        query = query.where(tuple_(*position) < after)
    return (await session.scalars(query.order_by(*(c.desc() for c in position)).limit(limit + 1))).all()


async def redeem(session: AsyncSession, code: str, *, clock: Callable[[], datetime]) -> Redeemed | None:
    """Use a code once for somebody who joins; None if it does not work, whatever the reason.

    The owner's row is locked before the code's, as everywhere, so that nobody waits in a circle. It is not
    locked for sharing: while friends kept coming, the owner would never get it, not even to delete the code.
    What time it is counts after that wait.
    """
    key = code_format.normalise(code)
    if key is None:
        return None
    owner = (await session.execute(_LOCK_OWNER, {"of_key": key})).one_or_none()
    if owner is None:
        return None
    used = (await session.execute(_USE, {"of_key": key, "now": clock()})).one_or_none()
    if used is None:
        return None
    if used.uses == used.max_uses:
        lookup.invalidate(session, owner, used)
    return Redeemed(used.id, owner.id, display_name(owner.first_name, owner.last_name))


async def owner_changed(session: AsyncSession, owner: User, *, email_key: str | None = None) -> None:
    """`owner`'s name, status or address (from `email_key`) changes: what was found of their code is outdated."""
    if email_key is not None:
        lookup.invalidate_email(session, email_key)
    current = await session.scalar(_active(owner))
    if current is not None:
        lookup.invalidate(session, owner, current)


async def retire_all(session: AsyncSession, owner: User, *, now: datetime) -> None:
    """On erasure of the owner: no code works any longer, and the strings, which can be names, are gone."""
    codes = await session.scalars(
        select(ReferralCode).where(ReferralCode.owner_id == owner.id).with_for_update()
    )
    for code in codes:
        lookup.invalidate(session, owner, code)
        if code.retired_at is None:
            code.retire(Retirement.ERASED, now)
            _record(session, Action.CODE_RETIRED, code, why=Retirement.ERASED.value)
        code.code = code.key = None
    await session.flush()


async def _free_the_slot(session: AsyncSession, owner: User, now: datetime, *, replace: bool = False) -> None:
    current = await session.scalar(_active(owner).with_for_update())
    if current is None:
        return
    if not current.is_usable(now):
        why = Retirement.USED_UP if current.is_used_up() else Retirement.EXPIRED
        current.retire(why, now)
    elif replace:
        current.retire(Retirement.REPLACED, now)
    else:
        raise ActiveCodeExists
    await session.flush()  # the unique index must see the slot free before the next code takes it
    lookup.invalidate(session, owner, current)
    _record(session, Action.CODE_RETIRED, current, why=current.retired_reason or "")


def _record(session: AsyncSession, action: Action, code: ReferralCode, **details: str | int) -> None:
    # By its id: a string can be a name.
    record(session, action, Subject.CODE, code.id, person=code.owner_id, **details)


def _active(owner: User) -> Select[ReferralCode]:
    return select(ReferralCode).where(
        ReferralCode.owner_id == owner.id,
        ReferralCode.activated_at.is_not(None),
        ReferralCode.retired_at.is_(None),
    )


def _given(value: datetime | None) -> datetime:
    assert value is not None
    return value


def has_status(status: CodeStatus, now: datetime) -> Any:
    """The same as `ReferralCode.status`, for a query."""
    if status == CodeStatus.RETIRED:
        return ReferralCode.retired_at.is_not(None)
    alive = ReferralCode.retired_at.is_(None)
    if status == CodeStatus.EXPIRED:
        return and_(alive, ReferralCode.expires_at <= now)
    activated = ReferralCode.activated_at
    started = activated.is_not(None) if status == CodeStatus.ACTIVE else activated.is_(None)
    return and_(alive, ReferralCode.expires_at > now, started)


_NOT_DELETED = func.coalesce(ReferralCode.retired_reason, "") != Retirement.DELETED

_LOCK_OWNER = (
    select(User.id, User.email_key, User.first_name, User.last_name)
    .join(ReferralCode, ReferralCode.owner_id == User.id)
    .where(ReferralCode.key == bindparam("of_key"), User.status == UserStatus.ACTIVE)
    .with_for_update(key_share=True, of=User)
)
_USE = (
    update(ReferralCode)
    .where(
        ReferralCode.key == bindparam("of_key"),
        usable(bindparam("now", type_=ReferralCode.expires_at.type)),
    )
    .values(uses=ReferralCode.uses + 1)
    .returning(ReferralCode.id, ReferralCode.key, ReferralCode.uses, ReferralCode.max_uses)
    .execution_options(synchronize_session=False)
)


async def usable_code(session: AsyncSession, owner_id: uuid.UUID, *, now: datetime) -> ReferralCode | None:
    """The code that friends of this person can join with now."""
    found = await list_codes(session, owner_id, status=CodeStatus.ACTIVE, after=None, limit=1, now=now)
    return next((code for code in found if code.is_usable(now)), None)
