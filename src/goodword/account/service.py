"""Rules of a user's own account: the confirmation of its password, and changes of the profile."""

import uuid
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes import service as codes
from goodword.errors import Forbidden, Unprocessable
from goodword.services import Services
from goodword.sessions import service as sessions
from goodword.users import service as users
from goodword.users.models import User
from goodword.users.passwords import same_password

RECENT = timedelta(minutes=5)


class WrongPassword(Forbidden):
    code, detail = "wrong_password", "The password is wrong."


class PasswordMissing(Unprocessable):
    code, field, detail = "missing", "body.password", "The password of the account is required."


class ReauthenticationRequired(Forbidden):
    code = "reauthentication_required"
    detail = "This requires a sign-in within the last five minutes. Sign in again."


async def confirm_password(
    services: Services, user_id: uuid.UUID, password: str, *, network: str | None
) -> str:
    """Return the stored hash of a user's password. Raises `WrongPassword` and `TooManyAttempts`.

    Wrong passwords are limited as at sign-in. Run this before the transaction.
    """
    database, throttle, clock = services.database, services.login_throttle, services.clock
    attempt = throttle.attempt_of(user_id, network)
    async with throttle.claimed(services, attempt) as claim:
        row = await database.row(_PASSWORD, user_id=user_id)
        stored: str | None = row.password_hash if row else None
        valid, _ = await services.passwords.verify(password, stored)
        async with database.transaction() as session:
            if valid:
                await throttle.take_back(session, claim)
            else:
                throttle.confirm(session, claim, now=clock())
        if not valid or stored is None:
            raise WrongPassword
    return stored


async def update_profile(session: AsyncSession, user_id: uuid.UUID, values: Mapping[str, str | None]) -> User:
    """Set the names or the language of a user. Return the account, locked."""
    user = await users.lock(session, user_id)
    for field, value in values.items():
        setattr(user, field, value)
    await session.flush()
    await codes.invalidate_lookups(session, user)
    record(session, Action.USER_CHANGED, Subject.USER, user.id, fields=" ".join(sorted(values)))
    return user


async def lock_with_password(session: AsyncSession, user_id: uuid.UUID, *, password_hash: str) -> User:
    """Lock and return the account. Raises `WrongPassword` if its password has changed since it was confirmed."""
    user = await users.lock(session, user_id)
    if not same_password(user.password_hash, password_hash):
        raise WrongPassword
    return user


async def lock_confirmed(
    session: AsyncSession,
    services: Services,
    user_id: uuid.UUID,
    password: str | None,
    *,
    session_id: uuid.UUID,
    network: str | None,
) -> User:
    """Lock and return the account of a user who gives the password or, if it has none, has just signed in.

    Raises the errors of `confirm_password`, `PasswordMissing` and `ReauthenticationRequired`.
    """
    row = await services.database.row(_PASSWORD, user_id=user_id)
    if password is not None and row is not None and row.password_hash is not None:
        password_hash = await confirm_password(services, user_id, password, network=network)
        return await lock_with_password(session, user_id, password_hash=password_hash)
    signed_in_at = await sessions.started_at(services.database, session_id)
    user = await users.lock(session, user_id)
    if user.password_hash is not None:
        raise PasswordMissing
    if services.clock() - signed_in_at > RECENT:
        raise ReauthenticationRequired
    return user


_PASSWORD = select(User.password_hash).where(User.id == bindparam("user_id"))
