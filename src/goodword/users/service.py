"""Rules about one account."""

import uuid
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.database import Database, persistent
from goodword.db.statements import insert_if_absent
from goodword.db.transaction_hooks import take_locked_user
from goodword.errors import Conflict, TokenInvalid
from goodword.languages import DEFAULT
from goodword.users import addresses
from goodword.users.models import User, UserStatus


class EmailTaken(Conflict):
    code, detail = "email_taken", "There is an account with this address already."


async def create(
    session: AsyncSession,
    *,
    email: str,
    password_hash: str | None,
    first_name: str | None,
    last_name: str | None,
    now: datetime,
    language: str = DEFAULT,
) -> User:
    """A new account. Raises `EmailTaken`, also to all but one of those who ask at the same moment."""
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
    """What anyone may know of a person, and nobody may take for a password."""
    local_part, _, _ = (email or "").rpartition("@")
    return (email, local_part, first_name, last_name, f"{first_name} {last_name}")


async def is_administrator(database: Database, user_id: uuid.UUID) -> bool:
    """Whether this is, at this moment, the active account of an administrator."""
    return await database.row(_ADMINISTRATOR, user_id=user_id) is not None


async def exists(database: Database, user_id: uuid.UUID) -> bool:
    """Whether there is, or was before erasure, an account with this id."""
    return await database.row(_BY_ID, user_id=user_id) is not None


async def has_address(session: AsyncSession, address: addresses.Address) -> bool:
    """Whether somebody has an account with this address, whatever its state."""
    return await session.scalar(select(User.id).where(User.email_key == address.key)) is not None


async def get(session: AsyncSession, user_id: uuid.UUID) -> User:
    """The account of somebody signed in. Raises `TokenInvalid`."""
    return _active(await session.get(User, user_id))


async def lock(session: AsyncSession, user_id: uuid.UUID) -> User:
    """The account, held against every other change until the transaction ends.

    Whoever writes for a person does this first: two requests of one person take turns, and none of them
    acts for an account that was disabled or erased meanwhile. Raises `TokenInvalid`.
    """
    await session.connection()  # begins the transaction, whose check of the actor may have locked the account
    row = take_locked_user(session)
    if row and row["id"] == user_id and session.identity_key(User, user_id) not in session.identity_map:
        return _active(persistent(session, User, row))
    return _active(await session.scalar(LOCKED, {"user_id": user_id}))


def _active(user: User | None) -> User:
    if user is None or not user.is_active:
        raise TokenInvalid
    return user


LOCKED = select(User).where(User.id == bindparam("user_id")).with_for_update(key_share=True)
"""The account of this id, held against every other change."""
_BY_ID = select(User.id).where(User.id == bindparam("user_id"))
_ADMINISTRATOR = _BY_ID.where(User.is_admin.is_(True), User.status == UserStatus.ACTIVE)
