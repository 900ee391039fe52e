"""Rules about what administrators do to the accounts, codes and referrals of others."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.account import erasure
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes import code_format, lookup, service as codes
from goodword.codes.models import ReferralCode, Retirement
from goodword.config.settings import Settings
from goodword.errors import Conflict, NotFound
from goodword.referrals.models import Referral, ReferralStatus
from goodword.referrals.service import UserNotFound
from goodword.services import Services
from goodword.sessions import service as sessions
from goodword.signup.email_verification import mark_email_verified
from goodword.users import addresses, service as users
from goodword.users.models import User, UserStatus


class UserErased(Conflict):
    code, detail = "user_erased", "This person was erased. Nothing is left to change."


class UserDisabled(Conflict):
    code, detail = "user_disabled", "This account is disabled. Enable it first."


class NotYourself(Conflict):
    code = "not_yourself"
    detail = "Administrators cannot disable or erase themselves here. Ask another one, or use `DELETE /me`."


class ReferralNotFound(NotFound):
    code, detail = "referral_not_found", "There is no such referral."


class ReferralRejected(Conflict):
    code, detail = "referral_rejected", "This referral was rejected before."


async def create_administrator(
    session: AsyncSession, *, email: str, password_hash: str, settings: Settings, now: datetime
) -> User:
    """Create the account of an administrator and mark its address as verified. Raises `EmailTaken`."""
    user = await users.create(
        session, email=email, password_hash=password_hash, first_name=None, last_name=None, now=now
    )
    user.is_admin = True
    record(session, Action.USER_REGISTERED, Subject.USER, user.id, by="operator")
    await mark_email_verified(session, user, settings=settings, now=now)
    record(session, Action.USER_PROMOTED, Subject.USER, user.id)
    return user


async def promote(session: AsyncSession, user_id: uuid.UUID, *, settings: Settings, now: datetime) -> User:
    """Make a user an administrator and mark the address as verified. Raises `UserNotFound`, `UserErased` and `UserDisabled`."""
    user = await _lock(session, user_id)
    if not user.is_active:
        raise UserDisabled
    user.is_admin = True
    await session.flush()
    await mark_email_verified(session, user, settings=settings, now=now)
    record(session, Action.USER_PROMOTED, Subject.USER, user.id)
    return user


async def demote(session: AsyncSession, user_id: uuid.UUID) -> User:
    """Take the right of an administrator away, at once. Raises `UserNotFound` and `UserErased`."""
    user = await _lock(session, user_id)
    user.is_admin = False
    await session.flush()
    record(session, Action.USER_DEMOTED, Subject.USER, user.id)
    return user


async def page(
    session: AsyncSession,
    *,
    email: str | None = None,
    part: str | None = None,
    status: UserStatus | None = None,
    after: uuid.UUID | None = None,
    not_before: uuid.UUID | None = None,
    limit: int,
) -> Sequence[User]:
    """Accounts, newest first, which is the order of their ids; one row more than `limit` if there are more.

    `email` is a whole address, compared as at sign-in; `part` any part of an address or a name. Of all accounts
    those after `after` and not before `not_before` are looked at.
    """
    query = select(User)
    if email is not None:
        query = query.where(User.email_key == (addresses.key_of(email) or ""))
    if part is not None:
        query = query.where(_contains(part))
    if status is not None:
        query = query.where(User.status == status)
    if after is not None:
        query = query.where(User.id < after)
    if not_before is not None:
        query = query.where(User.id >= not_before)
    return (await session.scalars(query.order_by(User.id.desc()).limit(limit + 1))).all()


async def get(session: AsyncSession, user_id: uuid.UUID) -> User:
    """An account, whatever its status. Raises `UserNotFound`."""
    user = await session.get(User, user_id)
    if user is None:
        raise UserNotFound
    return user


async def named(session: AsyncSession, user_ids: Iterable[uuid.UUID]) -> Mapping[uuid.UUID, User]:
    """Those of these accounts that there are, by their ids."""
    found = await session.scalars(select(User).where(User.id.in_(set(user_ids))))
    return {user.id: user for user in found}


async def referral_of(session: AsyncSession, referee_id: uuid.UUID) -> Referral | None:
    """How somebody came, if anybody brought them."""
    referral: Referral | None = await session.scalar(
        select(Referral).where(Referral.referee_id == referee_id)
    )
    return referral


async def id_of(session: AsyncSession, who: str) -> uuid.UUID:
    """The account that an operator names by its address or its id. Raises `UserNotFound`."""
    try:
        user_id = uuid.UUID(who)
    except ValueError:
        found = await page(session, email=who, limit=1)
        if not found:
            raise UserNotFound from None
        return found[0].id
    return (await get(session, user_id)).id


def note_look(session: AsyncSession, user_id: uuid.UUID) -> None:
    """An administrator looks at a person: they may want to know who did."""
    record(session, Action.USER_VIEWED, Subject.USER, user_id)


def note_search(session: AsyncSession, *, found: int) -> None:
    """An administrator looks through people. What for stays out: it can be an address or a name."""
    record(session, Action.USERS_SEARCHED, Subject.NONE, found=found)


async def disable(session: AsyncSession, user_id: uuid.UUID, *, by: uuid.UUID | None, now: datetime) -> User:
    """Keep somebody out until enabled again: signed out everywhere, and no code of theirs works meanwhile.

    `by` is the administrator, or None for the operator. Raises `UserNotFound`, `UserErased`, `NotYourself`.
    """
    user = await _lock(session, user_id, by=by)
    user.status = UserStatus.DISABLED
    record(session, Action.USER_DISABLED, Subject.USER, user.id)
    await codes.invalidate_lookups(session, user)
    await sessions.revoke_all(session, user.id, why="disabled", now=now)
    await session.flush()
    return user


async def enable(session: AsyncSession, user_id: uuid.UUID) -> User:
    """Let somebody in again; they sign in anew. Raises `UserNotFound` and `UserErased`."""
    user = await _lock(session, user_id)
    user.status = UserStatus.ACTIVE
    record(session, Action.USER_ENABLED, Subject.USER, user.id)
    await codes.invalidate_lookups(session, user)
    await session.flush()
    return user


async def erase(
    session: AsyncSession, services: Services, user_id: uuid.UUID, *, by: uuid.UUID | None
) -> None:
    """Erase a user. Raises `UserNotFound`, `UserErased` and `NotYourself`."""
    user = await _lock(session, user_id, by=by)
    user.is_admin = False
    await erasure.erase(session, services, user)


async def revoke_code(session: AsyncSession, code: str, *, now: datetime) -> None:
    """Take anybody's code out of force for good. Raises `CodeNotFound`, so also for one that is retired."""
    key = code_format.normalise(code)
    # The owner is locked before the code, as everywhere, so that nobody waits in a circle.
    owner = await session.scalar(
        select(User)
        .join(ReferralCode, ReferralCode.owner_id == User.id)
        .where(ReferralCode.key == (key or ""))
        .with_for_update(key_share=True, of=User)
    )
    if owner is None:
        raise codes.CodeNotFound
    found = await session.scalar(select(ReferralCode).where(ReferralCode.key == key).with_for_update())
    if found is None or found.retired_at is not None:
        raise codes.CodeNotFound
    found.retire(Retirement.REVOKED, now)
    await session.flush()
    why = Retirement.REVOKED.value
    record(session, Action.CODE_RETIRED, Subject.CODE, found.id, person=owner.id, why=why)
    lookup.invalidate(session, key, owner.email_key)


async def reject_referral(session: AsyncSession, referral_id: uuid.UUID, *, reason: str) -> Referral:
    """Let a referral count no longer. Raises `ReferralNotFound` and `ReferralRejected`."""
    referral = await session.scalar(select(Referral).where(Referral.id == referral_id).with_for_update())
    if referral is None:
        raise ReferralNotFound
    if referral.status == ReferralStatus.REJECTED:
        raise ReferralRejected
    referral.status, referral.reason = ReferralStatus.REJECTED, reason
    await session.flush()
    whose = referral.referrer_id
    record(session, Action.REFERRAL_REJECTED, Subject.REFERRAL, referral.id, person=whose)
    return referral


async def _lock(session: AsyncSession, user_id: uuid.UUID, *, by: uuid.UUID | None = None) -> User:
    if user_id == by:
        raise NotYourself
    user = await session.scalar(select(User).where(User.id == user_id).with_for_update(key_share=True))
    if user is None:
        raise UserNotFound
    if user.status == UserStatus.ERASED:
        raise UserErased
    return user


def _contains(part: str) -> ColumnElement[bool]:
    # SQLite folds the case of ASCII only, so the spellings that a name most likely has are tried as well.
    spellings = {part, part.lower(), part.title()}
    name = func.coalesce(User.first_name, "") + " " + func.coalesce(User.last_name, "")
    return or_(
        *(
            column.icontains(spelling, autoescape=True)
            for column in (User.email, User.email_key, name)
            for spelling in sorted(spellings)
        )
    )
