"""Operations of administrators on users, codes and referrals."""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes import service as codes
from goodword.domain_events import service as domain_events
from goodword.domain_events.events import UserCreated
from goodword.errors import Conflict
from goodword.privacy import erasure
from goodword.providers import email_checks
from goodword.referrals.models import Referral
from goodword.referrals.service import UserNotFound
from goodword.services import Services
from goodword.sessions import service as sessions
from goodword.signup.email_verification import mark_email_verified
from goodword.users import addresses, service as users
from goodword.users.models import User, UserStatus


class UserErased(Conflict):
    code, detail = "user_erased", "This user was erased and cannot be changed."


class UserDisabled(Conflict):
    code, detail = "user_disabled", "This account is disabled. Enable it first."


class NotYourself(Conflict):
    code = "not_yourself"
    detail = "Administrators cannot disable or erase themselves here. Ask another one, or use `DELETE /me`."


async def create_administrator(
    session: AsyncSession, services: Services, *, email: str, password_hash: str
) -> User:
    """Create the account of an administrator and mark its address as verified. Raises `EmailTaken`."""
    now = services.clock()
    user = await users.create(session, email=email, password_hash=password_hash, now=now)
    user.is_admin = True
    record(session, Action.USER_REGISTERED, Subject.USER, user.id, by="operator")
    await domain_events.publish(session, services, UserCreated(user.id, now))
    await email_checks.link(session, services, user)
    await mark_email_verified(session, services, user, now=now)
    record(session, Action.USER_PROMOTED, Subject.USER, user.id)
    return user


async def promote(session: AsyncSession, services: Services, user_id: uuid.UUID, *, now: datetime) -> User:
    """Make a user an administrator with a verified address. Raises `UserNotFound`, `UserErased`, `UserDisabled`."""
    user = await _lock(session, user_id)
    if not user.is_active:
        raise UserDisabled
    user.is_admin = True
    await session.flush()
    await mark_email_verified(session, services, user, now=now)
    record(session, Action.USER_PROMOTED, Subject.USER, user.id)
    return user


async def demote(session: AsyncSession, user_id: uuid.UUID) -> User:
    """Withdraw the rights of an administrator at once. Raises `UserNotFound` and `UserErased`."""
    user = await _lock(session, user_id)
    user.is_admin = False
    await session.flush()
    record(session, Action.USER_DEMOTED, Subject.USER, user.id)
    return user


async def list_users(
    session: AsyncSession,
    *,
    email: str | None = None,
    part: str | None = None,
    status: UserStatus | None = None,
    after: uuid.UUID | None = None,
    not_before: uuid.UUID | None = None,
    limit: int,
) -> Sequence[User]:
    """Return users by descending id, which is newest first, and one row more than `limit` if more exist.

    `email` is a whole address of an account, or as a product reported it, compared as at sign-in. `part` is a part of an address, a name or an external id. Only ids below `after`
    and not below `not_before` are returned.
    """
    query = select(User)
    if email is not None:
        query = query.where(has_address(email))
    if part is not None:
        query = query.where(contains(part))
    if status is not None:
        query = query.where(User.status == status)
    if after is not None:
        query = query.where(User.id < after)
    if not_before is not None:
        query = query.where(User.id >= not_before)
    return (await session.scalars(query.order_by(User.id.desc()).limit(limit + 1))).all()


async def get(session: AsyncSession, user_id: uuid.UUID) -> User:
    """Return a user with any status. Raises `UserNotFound`."""
    user = await session.get(User, user_id)
    if user is None:
        raise UserNotFound
    return user


async def find_referral(session: AsyncSession, referee_id: uuid.UUID) -> Referral | None:
    """Return the referral by which a user joined first, or None. There can be one in each program."""
    query = select(Referral).where(Referral.referee_id == referee_id)
    return await session.scalar(query.order_by(Referral.created_at, Referral.id).limit(1))


async def find(session: AsyncSession, email_or_id: str) -> User | None:
    """Return the user with this id, e-mail address or external id, the first of them that matches, or None."""
    with suppress(ValueError):
        user = await session.get(User, uuid.UUID(email_or_id))
        if user is not None:
            return user
    # Of an account: others can have been reported with the address.
    key = addresses.key_of(email_or_id)
    if key and (user := await session.scalar(select(User).where(User.email_key == key))):
        return user
    return await session.scalar(select(User).where(User.external_id == email_or_id))


async def find_id(session: AsyncSession, email_or_id: str) -> uuid.UUID:
    """Return the id of the user with this e-mail address or id. Raises `UserNotFound`."""
    user = await find(session, email_or_id)
    if user is None:
        raise UserNotFound
    return user.id


def record_view(session: AsyncSession, user_id: uuid.UUID) -> None:
    """Record that an administrator viewed a user."""
    record(session, Action.USER_VIEWED, Subject.USER, user_id)


def record_search(session: AsyncSession, *, found: int) -> None:
    """Record that an administrator searched users, without the query, which can be personal data."""
    record(session, Action.USERS_SEARCHED, Subject.NONE, found=found)


def record_export(session: AsyncSession, name: str) -> None:
    """Record that an administrator downloads a list."""
    record(session, Action.LIST_EXPORTED, Subject.NONE, list=name)


async def disable(session: AsyncSession, user_id: uuid.UUID, *, by: uuid.UUID | None, now: datetime) -> User:
    """Disable a user, end their sessions and suspend their codes.

    `by` is the administrator, or None for the operator. Raises `UserNotFound`, `UserErased` and `NotYourself`.
    """
    user = await _lock(session, user_id, by=by)
    user.status = UserStatus.DISABLED
    record(session, Action.USER_DISABLED, Subject.USER, user.id)
    await codes.invalidate_lookups(session, user)
    await sessions.revoke_all(session, user.id, why="disabled", now=now)
    await session.flush()
    return user


async def enable(session: AsyncSession, user_id: uuid.UUID) -> User:
    """Enable a disabled user. Raises `UserNotFound` and `UserErased`."""
    user = await _lock(session, user_id)
    user.status = UserStatus.ACTIVE
    record(session, Action.USER_ENABLED, Subject.USER, user.id)
    await codes.invalidate_lookups(session, user)
    await session.flush()
    return user


async def erase(
    session: AsyncSession, services: Services, user_id: uuid.UUID, *, by: uuid.UUID | None
) -> None:
    """Erase a user permanently. Raises `UserNotFound`, `UserErased` and `NotYourself`."""
    user = await _lock(session, user_id, by=by)
    user.is_admin = False
    await erasure.erase(session, services, user)


async def _lock(session: AsyncSession, user_id: uuid.UUID, *, by: uuid.UUID | None = None) -> User:
    if user_id == by:
        raise NotYourself
    user = await session.scalar(select(User).where(User.id == user_id).with_for_update(key_share=True))
    if user is None:
        raise UserNotFound
    if user.status == UserStatus.ERASED:
        raise UserErased
    return user


def has_address(email: str) -> ColumnElement[bool]:
    """Return the condition for the account with an address, and for people who were reported with it."""
    key = addresses.key_of(email) or ""
    return or_(User.email_key == key, User.reported_email_key == key)


def contains(part: str, user: Any = User) -> ColumnElement[bool]:
    """Return the condition for users, or an alias of them, with `part` in an address, the name or the external id."""
    # SQLite ignores case for ASCII only, so the likely spellings of a name are tried too.
    spellings = {part, part.lower(), part.title()}
    name = func.coalesce(user.first_name, "") + " " + func.coalesce(user.last_name, "")
    return or_(
        *(
            column.icontains(spelling, autoescape=True)
            for column in (user.email, user.email_key, user.reported_email, user.external_id, name)
            for spelling in sorted(spellings)
        )
    )
