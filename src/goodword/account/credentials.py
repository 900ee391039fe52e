"""Changes of the address and the password of an account, and the messages that confirm them."""

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
from goodword.providers import email_checks, enrichment
from goodword.services import Services
from goodword.sessions import service as sessions
from goodword.sessions.throttle import LoginThrottle
from goodword.signup.email_verification import mark_email_verified
from goodword.social import service as social
from goodword.users import addresses, service as users, verifications
from goodword.users.models import Purpose, User
from goodword.users.passwords import Passwords
from goodword.users.verifications import VerificationInvalid


def request_email(session: AsyncSession, purpose: Purpose, email: str, *, now: datetime) -> None:
    """Request a message. The job looks for the account, so a request takes the same time for every address."""
    jobs.enqueue(session, purpose, {"email_key": addresses.parse(email).key}, now=now)
    record(session, Action.EMAIL_REQUESTED, Subject.NONE, letter=purpose.value)


async def request_email_change(
    session: AsyncSession, user_id: uuid.UUID, email: str, *, password_hash: str, now: datetime
) -> None:
    """Request a message to the new address, after `confirm_password`. Raises `WrongPassword`."""
    user = await service.lock_with_password(session, user_id, password_hash=password_hash)
    payload = {"email": email, "email_key": addresses.parse(email).key}
    jobs.enqueue(session, Purpose.CHANGE_EMAIL, payload, user_id=user.id, now=now)
    record(session, Action.EMAIL_CHANGE_ASKED, Subject.USER, user.id)


async def verify_address(
    session: AsyncSession, token: str, *, key: bytes, settings: Settings, now: datetime
) -> None:
    """Mark the address of the token as verified. Raises `VerificationInvalid`."""
    user, _ = await verifications.consume(session, Purpose.VERIFY_EMAIL, token, key=key, now=now)
    await mark_email_verified(session, user, settings=settings, now=now)


async def prepare_reset(
    database: Database, passwords: Passwords, *, token: str, password: str, key: bytes, now: datetime
) -> tuple[str, str]:
    """Return the address of the account and the hash of the new password. Run this before the transaction.

    Raises the errors of `Passwords.check`, so that a rejected password does not use the token, and then
    `VerificationInvalid`.
    """
    user = await verifications.find(database, Purpose.RESET_PASSWORD, token, key=key, now=now)
    about = users.personal_words(user.email, user.first_name, user.last_name) if user else ()
    await passwords.check(password, about=about)
    if user is None:
        raise VerificationInvalid
    return user.email, await passwords.hash(password)


async def reset_password(
    session: AsyncSession,
    services: Services,
    token: str,
    *,
    email: str,
    password_hash: str,
    now: datetime,
) -> None:
    """Set a new password, end all sessions, and lift the wait after wrong passwords.

    `email` is the address that `prepare_reset` returned. Raises `VerificationInvalid`.
    """
    key, settings, throttle = services.keys.one_time_tokens, services.settings, services.login_throttle
    await throttle.forget(
        session, throttle.attempt(email, None)
    )  # before the account is locked, as at sign-in
    user, _ = await verifications.consume(session, Purpose.RESET_PASSWORD, token, key=key, now=now)
    await throttle.forget(session, throttle.attempt_of(user.id, None))
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
    throttle: LoginThrottle,
    user_id: uuid.UUID,
    *,
    current: str,
    new: str,
    network: str | None,
    clock: Callable[[], datetime],
) -> tuple[str, str]:
    """Return the hashes of the current and the new password. Run this before the transaction.

    Raises `WrongPassword` and `TooManyAttempts`, then the errors of `Passwords.check`.
    """
    current_hash = await service.confirm_password(
        database, passwords, throttle, user_id, current, network=network, clock=clock
    )
    user = await database.row(_USER, user_id=user_id)
    about = users.personal_words(user.email, user.first_name, user.last_name) if user else ()
    try:
        await passwords.check(new, about=about)
    except Unprocessable as error:
        error.field = "body.new_password"  # instead of the field of a registration
        raise
    return current_hash, await passwords.hash(new)


async def change_password(
    session: AsyncSession,
    user_id: uuid.UUID,
    *,
    current_hash: str,
    new_hash: str,
    session_id: uuid.UUID,
    now: datetime,
) -> None:
    """Set a new password, and end all other sessions.

    Raises `WrongPassword` if the password changed since `prepare_change`.
    """
    user = await service.lock_with_password(session, user_id, password_hash=current_hash)
    await _set_password(session, user, new_hash, now=now)
    record(session, Action.PASSWORD_CHANGED, Subject.USER, user.id)
    await sessions.revoke_all(session, user.id, why="password_changed", but=session_id, now=now)


async def change_address(
    session: AsyncSession, token: str, *, key: bytes, settings: Settings, now: datetime
) -> None:
    """Replace the address of an account, and notify the old one.

    Raises `VerificationInvalid`, also if the address has been taken by another account.
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
    await email_checks.link(session, settings, user)
    if address.key != former:
        await enrichment.forget(session, user.id)
    record(session, Action.EMAIL_CHANGED, Subject.USER, user.id)
    await verifications.revoke(session, user.id, Purpose.RESET_PASSWORD, Purpose.VERIFY_EMAIL, now=now)
    await mark_email_verified(session, user, settings=settings, now=now)


async def _set_password(session: AsyncSession, user: User, password_hash: str, *, now: datetime) -> None:
    # Cancel changes of the address requested with the old password, which may have been stolen.
    user.password_hash = password_hash
    await jobs.cancel(session, user.id, Purpose.CHANGE_EMAIL)
    await verifications.revoke(session, user.id, Purpose.RESET_PASSWORD, Purpose.CHANGE_EMAIL, now=now)
    notifications.notify(session, user.id, MessageKind.PASSWORD_CHANGED, now=now)


_USER = select(User.email, User.first_name, User.last_name).where(User.id == bindparam("user_id"))
