"""Rules of referral codes: one active code for each program and owner, a limited term, no code issued twice."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes import changes, code_format, lookup
from goodword.codes.models import (
    ACTIVE,
    CodeStatus,
    ReferralCode,
    Retirement,
    has_status,
    in_running_program,
    usable,
)
from goodword.codes.schemas import CodeCreate, CodeUpdate
from goodword.codes.statements import ACTIVATE, DELETE, FULL, HAS_ROOM, NOT_DELETED, change
from goodword.codes.terms import end_of_term
from goodword.db.database import persistent
from goodword.db.keyset import keyset_page
from goodword.db.statements import inserting_if_absent, with_defaults
from goodword.errors import Conflict, NotFound, Unprocessable
from goodword.programs.models import DEFAULT_PROGRAM_ID
from goodword.services import Services
from goodword.users.models import User

MAX_ATTEMPTS = 8


class ActiveCodeExists(Conflict):
    code = "active_code_exists"
    detail = "You already have an active code. Delete it, or activate another one with `replace`."


class TooManyCodes(Conflict):
    code = "too_many_codes"
    detail = "You have created 10,000 codes, with retired and deleted ones. An account can have no more."


class CodeTaken(Conflict):
    code, detail = "code_taken", "This code is taken. Choose another."


class CodeExpired(Conflict):
    code, detail = "code_expired", "This code has expired and cannot be activated."


class CodeRetired(Conflict):
    code, detail = "code_retired", "This code is retired and cannot be used again."


class MaxUsesTooLow(Unprocessable):
    code, field = "max_uses_too_low", "body.max_uses"
    detail = "More friends than this have already joined with the code."


class CodeNotFound(NotFound):
    code, detail = "code_not_found", "There is no such code, or it cannot be used now."


async def create(
    session: AsyncSession,
    services: Services,
    owner: User,
    body: CodeCreate,
    *,
    program_id: uuid.UUID = DEFAULT_PROGRAM_ID,
    now: datetime,
) -> ReferralCode:
    """Create a code of a program for `owner`, whose row is locked.

    Raises `ActiveCodeExists`, `CodeTaken`, `CodeInvalid`, `CodeReserved`, `TooManyCodes` and the `Term…` errors.
    """
    expires_at = end_of_term(body.expires_at, body.lifetime, now=now)
    if body.code is not None:
        code_format.validate_chosen(body.code, brand=services.settings.brand_name)
    statement = inserting_if_absent(ReferralCode, session.get_bind().dialect.name, HAS_ROOM)
    values: dict[str, Any] = {
        "owner_id": owner.id,
        "program_id": program_id,
        "kind": "chosen" if body.code else "generated",
        "created_at": now,
        "expires_at": expires_at,
        "activated_at": now if body.active else None,
        "max_uses": body.max_uses,
        "discoverable": body.discoverable,
    }
    for _ in range(MAX_ATTEMPTS):
        row = with_defaults(
            ReferralCode, values | code_format.columns(services, body.code or code_format.generate())
        )
        details = {"kind": row["kind"], "active": body.active}
        # No look-up has an answer for a random code that did not exist, so none is invalidated.
        looked_up = row["key"] if body.code else ""
        if await change(session, owner, statement, row, looked_up, Action.CODE_ISSUED, **details):
            made = persistent(session, ReferralCode, row)
            await changes.publish_created(session, services, made, now=now)
            return made
        if await session.scalar(select(FULL), {"owner_id": owner.id}):
            raise TooManyCodes
        retired = body.active and await _retire_active(session, services, owner, program_id, now)
        if not retired and body.code is not None:
            raise CodeTaken
    raise Conflict  # several of 2^50 random codes in a row were issued before


async def activate(
    session: AsyncSession, services: Services, owner: User, code: str, *, replace: bool, now: datetime
) -> ReferralCode:
    """Activate a prepared code of `owner`, whose row is locked. An active code stays active.

    Raises `CodeNotFound`, `CodeRetired`, `CodeExpired` and, unless `replace` is true, `ActiveCodeExists`.
    """
    key = code_format.normalise(code) or ""
    place = {"owner": owner.id, "code_key": key, "now": now}
    activated = await change(session, owner, ACTIVATE, place, key, Action.CODE_ACTIVATED)
    if activated is not None:
        found = ReferralCode(**activated)
        await changes.publish(session, services, found, changes.ACTIVATED, now=now)
        return found
    found = await get(session, owner.id, code, lock=True)
    status = found.status(now)
    if status == CodeStatus.RETIRED:
        raise CodeRetired
    if status == CodeStatus.EXPIRED:
        raise CodeExpired
    if status == CodeStatus.PREPARED:
        await _retire_active(session, services, owner, found.program_id, now, replace=replace)
        found.activated_at = now
        await _save(session, owner, found, Action.CODE_ACTIVATED)
        await changes.publish(session, services, found, changes.ACTIVATED, now=now)
    return found


async def delete(session: AsyncSession, services: Services, owner: User, code: str, *, now: datetime) -> None:
    """Retire a code and hide it from its owner. Raises `CodeNotFound`, also for a deleted code."""
    key, why = code_format.normalise(code) or "", Retirement.DELETED.value
    place = {"owner": owner.id, "code_key": key, "now": now}
    deleted = await change(session, owner, DELETE, place, key, Action.CODE_RETIRED, why=why)
    if deleted is None:
        raise CodeNotFound
    if deleted["retired_at"] == now:  # not before
        await changes.publish(session, services, ReferralCode(**deleted), changes.RETIRED, now=now)


async def revoke(session: AsyncSession, services: Services, code: str, *, now: datetime) -> None:
    """Revoke the code of any user. Raises `CodeNotFound` for an unknown or retired code."""
    own = ReferralCode.key == (code_format.normalise(code) or "")
    # The owner is locked before the code, as everywhere, which prevents deadlocks.
    query = select(User).join(ReferralCode, ReferralCode.owner_id == User.id).where(own)
    owner = await session.scalar(query.with_for_update(key_share=True, of=User))
    found = await session.scalar(select(ReferralCode).where(own).with_for_update()) if owner else None
    if owner is None or found is None or found.retired_at is not None:
        raise CodeNotFound
    found.retire(Retirement.REVOKED, now)
    await _save(session, owner, found, Action.CODE_RETIRED, why=Retirement.REVOKED.value)
    await changes.publish(session, services, found, changes.RETIRED, now=now)


async def update(
    session: AsyncSession, owner: User, code: str, body: CodeUpdate, *, now: datetime
) -> ReferralCode:
    """Change the fields that `body` gives. A code that has expired or is used up can be used again.

    Another code of the program and owner cannot be active then: it would have retired this one. Raises `CodeNotFound`, the
    `Term…` errors, `MaxUsesTooLow`, and `CodeRetired` unless only `discoverable` is given.
    """
    found = await get(session, owner.id, code, lock=True)
    changed: dict[str, str | int] = {}
    if found.retired_at is not None and body.model_fields_set - {"discoverable"}:
        raise CodeRetired
    if body.model_fields_set & {"expires_at", "lifetime"}:
        found.expires_at = end_of_term(body.expires_at, body.lifetime, now=now)
        changed["expires_at"] = found.expires_at.isoformat()
    if "max_uses" in body.model_fields_set:
        if body.max_uses is not None and body.max_uses < found.uses:
            raise MaxUsesTooLow
        found.max_uses, changed["max_uses"] = body.max_uses, body.max_uses or "unlimited"
    if "discoverable" in body.model_fields_set:
        found.discoverable = changed["discoverable"] = body.discoverable
    await _save(session, owner, found, Action.CODE_CHANGED, **changed)
    return found


async def get(session: AsyncSession, owner_id: uuid.UUID, code: str, *, lock: bool = False) -> ReferralCode:
    """Return a code of this owner. Raises `CodeNotFound`, also for another owner's code."""
    query = select(ReferralCode).where(
        ReferralCode.owner_id == owner_id,
        ReferralCode.key == (code_format.normalise(code) or ""),
        NOT_DELETED,
    )
    found = await session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise CodeNotFound
    return found


async def usable_code(session: AsyncSession, owner_id: uuid.UUID, *, now: datetime) -> ReferralCode | None:
    """Return the code of this owner that can be used now, that of the default program if there are several."""
    query = select(ReferralCode).where(
        ReferralCode.owner_id == owner_id, usable(now), in_running_program(now)
    )
    return await session.scalar(_preferred(query))


async def current_code(session: AsyncSession, owner: User) -> ReferralCode | None:
    """Return the code that the owner activated last, unless it is retired. It can be expired or used up.

    If there are several, return that of the default program.
    """
    return await session.scalar(_preferred(_active(owner)))


async def list_codes(
    session: AsyncSession,
    owner_id: uuid.UUID,
    *,
    status: CodeStatus | None,
    after: tuple[datetime, uuid.UUID] | None,
    limit: int,
    now: datetime,
    program_id: uuid.UUID | None = None,
    for_administrator: bool = False,
) -> Sequence[ReferralCode]:
    """Return an owner's codes, of a program or all, newest first, and one more than `limit` if there are more.

    Only administrators may list deleted codes, and those of an erased owner, which have no text: a session of the
    owner can be valid for a moment after the erasure.
    """
    position = (ReferralCode.created_at, ReferralCode.id)
    query = select(ReferralCode).where(ReferralCode.owner_id == owner_id)
    if not for_administrator:
        query = query.where(ReferralCode.key.is_not(None), NOT_DELETED)
    if program_id is not None:
        query = query.where(ReferralCode.program_id == program_id)
    if status is not None:
        query = query.where(has_status(status, now))
    query = keyset_page(query, position, after=after, limit=limit)
    return (await session.scalars(query)).all()


async def invalidate_lookups(session: AsyncSession, owner: User, *, email_key: str | None = None) -> None:
    """Invalidate the cached look-ups of an owner whose name, status or address (before: `email_key`) changed."""
    lookup.invalidate(session, None, email_key)
    for code in await session.scalars(_active(owner)):
        lookup.invalidate(session, code.key, owner.email_key)


async def _retire_active(
    session: AsyncSession,
    services: Services,
    owner: User,
    program_id: uuid.UUID,
    now: datetime,
    *,
    replace: bool = False,
) -> bool:
    """Retire the code that counts as active in this program, and return whether there was one.

    Raises `ActiveCodeExists`.
    """
    query = _active(owner).where(ReferralCode.program_id == program_id)
    current = await session.scalar(query.with_for_update())
    if current is None:
        return False
    if not current.is_usable(now):
        current.retire(Retirement.USED_UP if current.is_used_up() else Retirement.EXPIRED, now)
    elif replace:
        current.retire(Retirement.REPLACED, now)
    else:
        raise ActiveCodeExists
    await _save(session, owner, current, Action.CODE_RETIRED, why=current.retired_reason or "")
    await changes.publish(session, services, current, changes.RETIRED, now=now)
    return True


async def _save(
    session: AsyncSession, owner: User, code: ReferralCode, action: Action, **details: str | int
) -> None:
    await session.flush()  # the unique index allows a new active code only after the previous one is retired
    lookup.invalidate(session, code.key, owner.email_key)
    # The audit log has the id, not the code: a chosen code can be a name.
    record(session, action, Subject.CODE, code.id, person=code.owner_id, **details)


def _preferred(query: Select[ReferralCode]) -> Select[ReferralCode]:
    is_default = ReferralCode.program_id == DEFAULT_PROGRAM_ID
    return query.order_by(is_default.desc(), ReferralCode.activated_at.desc()).limit(1)


def _active(owner: User) -> Select[ReferralCode]:
    return select(ReferralCode).where(ReferralCode.owner_id == owner.id, ACTIVE)
