"""Rules of the sign-in with a provider: which account an identity belongs to."""

import uuid
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword import actor
from goodword.attribution.service import Claim
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes import service as codes
from goodword.db.statements import insert_if_absent
from goodword.errors import Conflict
from goodword.jobs import service as jobs
from goodword.oauth import service as oauth
from goodword.providers import email_checks
from goodword.services import Services
from goodword.sessions import service as sessions
from goodword.signup import service as signup
from goodword.signup.email_verification import mark_email_verified
from goodword.social.claims import ProviderIdentity
from goodword.social.errors import CodeNotUsable, CodeRequired, EmailMissing, LinkRequired, SignInFailed
from goodword.social.models import Identity
from goodword.users import service as users, verifications
from goodword.users.models import Purpose, User

ATTEMPTS = 3


class OvertakenError(Exception):
    """A concurrent request changed the accounts or identities after they were read."""


async def sign_in(
    session: AsyncSession,
    services: Services,
    person: ProviderIdentity,
    *,
    claim: Claim,
    language: str,
) -> User:
    """Return the account of `person`, locked and active. Register one, with the code's referral, if there is none.

    Raises `SignInFailed`, `LinkRequired`, and for a new account `EmailMissing`, `SignUpClosed`,
    `CodeRequired` and `CodeNotUsable`.
    """
    for _ in range(ATTEMPTS):
        try:
            async with session.begin_nested():  # rolls an overtaken attempt back, with the use of the code
                return (
                    await _known(session, services, person)
                    or await _link(session, services, person)
                    or await _join(session, services, person, claim=claim, language=language)
                )
        except (OvertakenError, users.EmailTaken):
            continue
    raise Conflict


async def ensure_may_join(services: Services, person: ProviderIdentity) -> None:
    """Check the address of a person without an account as a registration does, before the transaction.

    Raises `EmailUndeliverable`.
    """
    if person.email is None:
        return
    known = {"provider": person.realm, "subject": person.subject, "email_key": person.email_key}
    if await services.database.row(_ACCOUNT, **known) is None:
        await email_checks.ensure_deliverable(services, person.email)


async def forget(session: AsyncSession, user_id: uuid.UUID) -> None:
    """Delete all identities of an account."""
    gone = await session.scalars(delete(Identity).where(Identity.user_id == user_id).returning(Identity.id))
    if gone.all():
        record(session, Action.IDENTITIES_UNLINKED, Subject.USER, user_id)


async def revoke_unproven_access(session: AsyncSession, user: User) -> None:
    """Revoke what the person who registered, but never verified the address, could sign in with later.

    The caller revokes the sessions and replaces the password ("Pre-hijacked accounts", USENIX Security 2022).
    """
    await forget(session, user.id)
    await oauth.forget(session, user.id)
    await verifications.forget(session, user.id, user.email_key)
    for purpose in Purpose:
        await jobs.cancel(session, user.id, purpose)


async def _known(session: AsyncSession, services: Services, person: ProviderIdentity) -> User | None:
    now, user_id = services.clock(), await _owner(session, person)
    if user_id is None:
        return None
    user = await _lock(session, User.id == user_id)
    # The identity may have been unlinked during the wait for the lock.
    if user is None or await _owner(session, person) != user_id:
        raise OvertakenError
    if not user.is_active:
        raise SignInFailed
    if user.verified_at is None and person.email_verified and person.email_key == user.email_key:
        actor.mark_authenticated(user.id)
        await mark_email_verified(session, services, user, now=now)
    return user


async def _link(session: AsyncSession, services: Services, person: ProviderIdentity) -> User | None:
    """Link the identity to the account with the same address, if both sides have verified it.

    An account whose address was never verified is taken over by the identity with the verified address.
    """
    now = services.clock()
    user = await _lock(session, User.email_key == person.email_key) if person.email_key else None
    if user is None:
        return None
    if await _owner(session, person) is not None:
        raise OvertakenError  # during the wait for the lock
    if not user.is_active:
        raise SignInFailed
    if not person.email_verified:
        raise LinkRequired
    if user.verified_at is None:
        await _take_over(session, user, person, now=now)
        await mark_email_verified(session, services, user, now=now)
    elif await _has_identity(session, user, person.realm):
        raise LinkRequired  # the address has a new owner at the provider
    await _attach(session, user, person, now=now)
    return user


async def _take_over(session: AsyncSession, user: User, person: ProviderIdentity, *, now: datetime) -> None:
    if user.is_admin:
        raise LinkRequired  # created by an operator: a provider cannot transfer it
    actor.mark_authenticated(user.id)
    record(session, Action.USER_TAKEN_OVER, Subject.USER, user.id)
    user.password_hash = None
    if person.first_name or person.last_name:
        user.first_name, user.last_name = person.first_name, person.last_name
        await codes.invalidate_lookups(session, user)
    await sessions.revoke_all(session, user.id, why="taken_over", now=now)
    await revoke_unproven_access(session, user)


async def _join(
    session: AsyncSession,
    services: Services,
    person: ProviderIdentity,
    *,
    claim: Claim,
    language: str,
) -> User:
    if person.email is None:
        raise EmailMissing
    try:
        user, _ = await signup.register(
            session,
            services,
            email=person.email,
            password_hash=None,
            first_name=person.first_name,
            last_name=person.last_name,
            language=language,
            claim=claim,
            email_verified=person.email_verified,
        )
    except signup.CodeRequired:
        raise CodeRequired from None
    except signup.CodeNotUsable:
        raise CodeNotUsable if await _owner(session, person) is None else OvertakenError from None
    await _attach(session, user, person, now=services.clock())
    return user


async def _attach(session: AsyncSession, user: User, person: ProviderIdentity, *, now: datetime) -> None:
    identity = await insert_if_absent(
        session, Identity, user_id=user.id, provider=person.realm, subject=person.subject, created_at=now
    )
    if identity is None:
        raise OvertakenError
    actor.mark_authenticated(user.id)
    record(session, Action.IDENTITY_LINKED, Subject.USER, user.id)


async def _owner(session: AsyncSession, person: ProviderIdentity) -> uuid.UUID | None:
    return await session.scalar(
        select(Identity.user_id).where(Identity.provider == person.realm, Identity.subject == person.subject)
    )


async def _has_identity(session: AsyncSession, user: User, realm: str) -> bool:
    query = select(Identity.id).where(Identity.user_id == user.id, Identity.provider == realm)
    return await session.scalar(query) is not None


async def _lock(session: AsyncSession, which: ColumnElement[bool]) -> User | None:
    return await session.scalar(select(User).where(which).with_for_update(key_share=True))


_ACCOUNT = select(User.id).where(
    or_(
        User.email_key == bindparam("email_key"),
        User.id.in_(
            select(Identity.user_id).where(
                Identity.provider == bindparam("provider"), Identity.subject == bindparam("subject")
            )
        ),
    )
)
