"""Changes of the address and the password of an account, and the messages that confirm them."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.account import service
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes import service as codes
from goodword.errors import Unprocessable
from goodword.jobs import service as jobs
from goodword.mail import notifications
from goodword.mail.messages import MessageKind
from goodword.providers import email_checks, enrichment
from goodword.services import Services
from goodword.sessions import service as sessions
from goodword.signup.email_verification import mark_email_verified
from goodword.social import service as social
from goodword.users import addresses, service as users, verifications
from goodword.users.models import Purpose, User
from goodword.users.verifications import VerificationInvalid


def request_email(session: AsyncSession, purpose: Purpose, email: str, *, now: datetime) -> None:
    """Request a message. The job looks for the account, so a request takes the same time for every address."""
    jobs.enqueue(session, purpose, {"email_key": addresses.parse(email).key}, now=now)
    record(session, Action.EMAIL_REQUESTED, Subject.NONE, kind=purpose.value)


async def request_email_change(
    session: AsyncSession, user_id: uuid.UUID, email: str, *, password_hash: str, now: datetime
) -> None:
    """Request a message to the new address, after `confirm_password`. Raises `WrongPassword`."""
    user = await service.lock_with_password(session, user_id, password_hash=password_hash)
    payload = {"email": email, "email_key": addresses.parse(email).key}
    jobs.enqueue(session, Purpose.CHANGE_EMAIL, payload, user_id=user.id, now=now)
    record(session, Action.EMAIL_CHANGE_ASKED, Subject.USER, user.id)


async def verify_address(session: AsyncSession, services: Services, token: str, *, now: datetime) -> None:
    """Mark the address of the token as verified. Raises `VerificationInvalid`."""
    key = services.keys.one_time_tokens
    user, _ = await verifications.consume(session, Purpose.VERIFY_EMAIL, token, key=key, now=now)
    if user.verified_at is None:
        notifications.notify(session, user.id, MessageKind.WELCOME, now=now)
    await mark_email_verified(session, services, user, now=now)


async def reset_password(session: AsyncSession, services: Services, token: str, password: str) -> None:
    """Set a new password, end all sessions, and lift the wait after wrong passwords.

    The password is hashed before the transaction begins.

    Raises the errors of `Passwords.check`, so that a rejected password does not use the token, and then
    `VerificationInvalid`.
    """
    purpose, key, now = Purpose.RESET_PASSWORD, services.keys.one_time_tokens, services.clock()
    owner = await verifications.find(services.database, purpose, token, key=key, now=now)
    await _check_password(services, password, owner)
    if owner is None:
        raise VerificationInvalid
    password_hash, throttle = await services.passwords.hash(password), services.login_throttle
    now = services.clock()
    async with session.begin_nested():  # the page commits although the token is refused
        # Before the account is locked, as at sign-in.
        await throttle.forget(session, throttle.attempt(owner.email, None))
        user, _ = await verifications.consume(session, purpose, token, key=key, now=now)
    await throttle.forget(session, throttle.attempt_of(user.id, None))
    await _set_password(session, user, password_hash, now=now)
    record(session, Action.PASSWORD_RESET, Subject.USER, user.id)
    await sessions.revoke_all(session, user.id, why="password_reset", now=now)
    if user.verified_at is None:
        # Names and referrals stay: they give no access.
        await social.revoke_unproven_access(session, user)
    await mark_email_verified(session, services, user, now=now)


async def change_password(
    session: AsyncSession,
    services: Services,
    user_id: uuid.UUID,
    *,
    current: str,
    new: str,
    session_id: uuid.UUID,
    network: str | None,
) -> None:
    """Set a new password, and end all other sessions. Passwords are hashed before the transaction begins.

    Raises `WrongPassword` and `TooManyAttempts`, then the errors of `Passwords.check`.
    """
    current_hash = await service.confirm_password(services, user_id, current, network=network)
    try:
        await _check_password(services, new, await services.database.row(_USER, user_id=user_id))
    except Unprocessable as error:
        error.field = "body.new_password"  # instead of the field of a registration
        raise
    new_hash, now = await services.passwords.hash(new), services.clock()
    user = await service.lock_with_password(session, user_id, password_hash=current_hash)
    await _set_password(session, user, new_hash, now=now)
    record(session, Action.PASSWORD_CHANGED, Subject.USER, user.id)
    await sessions.revoke_all(session, user.id, why="password_changed", but=session_id, now=now)


async def change_address(session: AsyncSession, services: Services, token: str, *, now: datetime) -> None:
    """Replace the address of an account, and notify the old one.

    Raises `VerificationInvalid`, also if the address has been taken by another account.
    """
    key = services.keys.one_time_tokens
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
    await email_checks.link(session, services, user)
    if address.key != former:
        await enrichment.forget(session, user.id)
    record(session, Action.EMAIL_CHANGED, Subject.USER, user.id)
    await verifications.revoke(session, user.id, Purpose.RESET_PASSWORD, Purpose.VERIFY_EMAIL, now=now)
    await mark_email_verified(session, services, user, now=now)


async def _check_password(services: Services, password: str, user: Row[Any] | None) -> None:
    about = users.personal_words(user.email, user.first_name, user.last_name) if user else ()
    await services.passwords.check(password, about=about)


async def _set_password(session: AsyncSession, user: User, password_hash: str, *, now: datetime) -> None:
    # Cancel changes of the address requested with the old password, which may have been stolen.
    user.password_hash = password_hash
    await jobs.cancel(session, user.id, Purpose.CHANGE_EMAIL)
    await verifications.revoke(session, user.id, Purpose.RESET_PASSWORD, Purpose.CHANGE_EMAIL, now=now)
    notifications.notify(session, user.id, MessageKind.PASSWORD_CHANGED, now=now)


_USER = select(User.email, User.first_name, User.last_name).where(User.id == bindparam("user_id"))
