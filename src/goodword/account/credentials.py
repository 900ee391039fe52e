"""Rules about the address and the password of an account, and about the letters that prove them."""

import uuid
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.account import service
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes import service as codes
from goodword.config.settings import Settings
from goodword.db.database import Database
from goodword.errors import Unprocessable
from goodword.jobs import service as jobs
from goodword.mail import notifications
from goodword.mail.messages import MessageKind
from goodword.sessions import service as sessions
from goodword.sessions.throttle import LoginThrottle
from goodword.signup.email_verification import mark_email_verified
from goodword.social import service as social
from goodword.users import addresses, service as users, verifications
from goodword.users.models import Purpose, User
from goodword.users.passwords import Passwords
from goodword.users.verifications import VerificationInvalid


def request_email(session: AsyncSession, purpose: Purpose, email: str, *, now: datetime) -> None:
    """Note that a letter was asked for. Whether there is an account for it, the job finds out.

    So a request takes the same work and the same time for every address.
    """
    jobs.enqueue(session, purpose, {"email_key": addresses.parse(email).key}, now=now)
    record(session, Action.EMAIL_REQUESTED, Subject.NONE, letter=purpose.value)


async def request_email_change(
    session: AsyncSession, user_id: uuid.UUID, email: str, *, password_hash: str, now: datetime
) -> None:
    """The same for another address of somebody whose password was just confirmed. Raises `WrongPassword`."""
    user = await service.lock_with_password(session, user_id, password_hash=password_hash)
    payload = {"email": email, "email_key": addresses.parse(email).key}
    jobs.enqueue(session, Purpose.CHANGE_EMAIL, payload, user_id=user.id, now=now)
    record(session, Action.EMAIL_CHANGE_ASKED, Subject.USER, user.id)


async def verify_address(
    session: AsyncSession, token: str, *, key: bytes, settings: Settings, now: datetime
) -> None:
    """The address is theirs. Raises `VerificationInvalid`."""
    user, _ = await verifications.consume(session, Purpose.VERIFY_EMAIL, token, key=key, now=now)
    await mark_email_verified(session, user, settings=settings, now=now)


async def prepare_reset(
    database: Database, passwords: Passwords, *, token: str, password: str, key: bytes, now: datetime
) -> str:
    """The hash of the new password, once nothing speaks against it or the token, which stays unused.

    Runs before the transaction. Raises the reason against the password, then `VerificationInvalid`.
    """
    person = await verifications.find(database, Purpose.RESET_PASSWORD, token, key=key, now=now)
    about = users.personal_words(person.email, person.first_name, person.last_name) if person else ()
    await passwords.check(password, about=about)
    if person is None:
        raise VerificationInvalid
    return await passwords.hash(password)


async def reset_password(
    session: AsyncSession, token: str, *, password_hash: str, key: bytes, settings: Settings, now: datetime
) -> None:
    """A new password for whoever reads the address: signed out everywhere. Raises `VerificationInvalid`."""
    user, _ = await verifications.consume(session, Purpose.RESET_PASSWORD, token, key=key, now=now)
    await _set_password(session, user, password_hash, now=now)
    record(session, Action.PASSWORD_RESET, Subject.USER, user.id)
    await sessions.revoke_all(session, user.id, why="password_reset", now=now)
    if user.verified_at is None:
        # Names and referrals stay: they give no access.
        await social.revoke_unproven_access(session, user)
    await mark_email_verified(session, user, settings=settings, now=now)


async def prepare_change(
    database: Database,
    passwords: Passwords,
    failures: LoginThrottle,
    user_id: uuid.UUID,
    *,
    current: str,
    new: str,
    network: str | None,
    clock: Callable[[], datetime],
) -> tuple[str, str]:
    """The stored hash of the current password and one of the new. Runs before the transaction.

    Raises `WrongPassword` and `TooManyAttempts`, then the reason against the new password.
    """
    known = await service.confirm_password(
        database, passwords, failures, user_id, current, network=network, clock=clock
    )
    person = await database.row(_PERSON, user_id=user_id)
    about = users.personal_words(person.email, person.first_name, person.last_name) if person else ()
    try:
        await passwords.check(new, about=about)
    except Unprocessable as refused:
        refused.field = "body.new_password"  # it names the field of a registration
        raise
    return known, await passwords.hash(new)


async def change_password(
    session: AsyncSession,
    user_id: uuid.UUID,
    *,
    known_hash: str,
    new_hash: str,
    session_id: uuid.UUID,
    now: datetime,
) -> None:
    """A new password: all sessions but this one end. Raises `WrongPassword` if it was changed meanwhile."""
    user = await service.lock_with_password(session, user_id, password_hash=known_hash)
    await _set_password(session, user, new_hash, now=now)
    record(session, Action.PASSWORD_CHANGED, Subject.USER, user.id)
    await sessions.revoke_all(session, user.id, why="password_changed", but=session_id, now=now)


async def change_address(
    session: AsyncSession, token: str, *, key: bytes, settings: Settings, now: datetime
) -> None:
    """The new address takes the place of the old one, which is told.

    Raises `VerificationInvalid`, also when somebody else came to have the address meanwhile.
    """
    user, email = await verifications.consume(session, Purpose.CHANGE_EMAIL, token, key=key, now=now)
    assert user.email is not None, "an active account has an address"
    notifications.notify(session, user.id, MessageKind.EMAIL_CHANGED, email=user.email, now=now)
    address, former = addresses.parse(email), user.email_key
    user.email, user.email_key, user.email_canonical = address
    user.verified_at = None
    try:
        await session.flush()
    except IntegrityError:
        raise VerificationInvalid from None
    await codes.invalidate_lookups(session, user, email_key=former)
    record(session, Action.EMAIL_CHANGED, Subject.USER, user.id)
    await verifications.revoke(session, user.id, Purpose.RESET_PASSWORD, Purpose.VERIFY_EMAIL, now=now)
    await mark_email_verified(session, user, settings=settings, now=now)


async def _set_password(session: AsyncSession, user: User, password_hash: str, *, now: datetime) -> None:
    # What was asked with the old password, perhaps by somebody who stole it, is void: also what waits.
    user.password_hash = password_hash
    await jobs.cancel(session, user.id, Purpose.CHANGE_EMAIL)
    await verifications.revoke(session, user.id, Purpose.RESET_PASSWORD, Purpose.CHANGE_EMAIL, now=now)
    notifications.notify(session, user.id, MessageKind.PASSWORD_CHANGED, now=now)


_PERSON = select(User.email, User.first_name, User.last_name).where(User.id == bindparam("user_id"))
