"""Rules of accounts."""

import uuid
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.database import Database, persistent
from goodword.db.statements import insert_if_absent
from goodword.db.transaction_hooks import take_locked_user
from goodword.errors import Conflict, TokenInvalid
from goodword.jobs import service as jobs
from goodword.jobs.service import ClaimedJob
from goodword.languages import DEFAULT
from goodword.users import addresses
from goodword.users.models import User, UserStatus


class EmailTaken(Conflict):
    code, detail = "email_taken", "An account with this address already exists."


async def create(
    session: AsyncSession,
    *,
    email: str,
    password_hash: str | None,
    now: datetime,
    first_name: str | None = None,
    last_name: str | None = None,
    language: str = DEFAULT,
) -> User:
    """Create an account. Raises `EmailTaken`, also for all but one of several concurrent requests."""
    address = addresses.parse(email)
    user = await insert_if_absent(
        session,
        User,
        email=address.text,
        email_key=address.key,
        email_canonical=address.canonical,
        password_hash=password_hash,
        first_name=first_name,
        last_name=last_name,
        language=language,
        status=UserStatus.ACTIVE,
        created_at=now,
    )
    if user is None:
        raise EmailTaken
    return user


def personal_words(
    email: str | None, first_name: str | None, last_name: str | None
) -> tuple[str | None, ...]:
    """Return what others may know about a user, which must not be the password."""
    local_part, _, _ = (email or "").rpartition("@")
    return (email, local_part, first_name, last_name, f"{first_name} {last_name}")


async def is_administrator(database: Database, user_id: uuid.UUID) -> bool:
    """Return whether this is the active account of an administrator."""
    return await database.row(_ADMINISTRATOR, user_id=user_id) is not None


async def exists(database: Database, user_id: uuid.UUID) -> bool:
    """Return whether there is an account with this id, erased or not."""
    return await database.row(_BY_ID, user_id=user_id) is not None


async def has_address(session: AsyncSession, address: addresses.Address) -> bool:
    """Return whether an account has this address, whatever its status."""
    return await session.scalar(select(User.id).where(User.email_key == address.key)) is not None


async def get(session: AsyncSession, user_id: uuid.UUID) -> User:
    """Return the active account of a signed-in user. Raises `TokenInvalid`."""
    return _active(await session.get(User, user_id))


async def lock(session: AsyncSession, user_id: uuid.UUID) -> User:
    """Return the active account, locked until the transaction ends. Raises `TokenInvalid`.

    Requests that write for a user call this first. So they run one after the other, and none acts for an account
    that was disabled or erased meanwhile.
    """
    await session.connection()  # begins the transaction, whose check of the actor may have locked the account
    row = take_locked_user(session)
    if row and row["id"] == user_id and session.identity_key(User, user_id) not in session.identity_map:
        return _active(persistent(session, User, row))
    return _active(await session.scalar(LOCKED, {"user_id": user_id}))


async def lock_for_job(session: AsyncSession, job: ClaimedJob) -> User | None:
    """Return the active user of a job, locked, or None if there is none or the job was withdrawn."""
    own = User.id == job.user_id if job.user_id is not None else User.email_key == job.payload["email_key"]
    query = select(User).where(own, User.status == UserStatus.ACTIVE).with_for_update(key_share=True)
    user = await session.scalar(query)
    return user if user is not None and await jobs.is_claimed(session, job) else None


def _active(user: User | None) -> User:
    if user is None or not user.is_active:
        raise TokenInvalid
    return user


LOCKED = select(User).where(User.id == bindparam("user_id")).with_for_update(key_share=True)
_BY_ID = select(User.id).where(User.id == bindparam("user_id"))
_ADMINISTRATOR = _BY_ID.where(User.is_admin.is_(True), User.status == UserStatus.ACTIVE)
