"""Erase an account."""

import uuid
from collections.abc import Callable
from datetime import datetime

import structlog
from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.account import erasure_cleanup, export, tombstones
from goodword.actor import Actor, ActorContext, actor_context
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes import service as codes
from goodword.config.settings import Settings
from goodword.crypto import derive_key
from goodword.db.database import Database
from goodword.jobs import service as jobs
from goodword.languages import DEFAULT
from goodword.oauth import service as oauth
from goodword.providers import email_checks
from goodword.rate_limits import quotas
from goodword.referrals.models import Referral
from goodword.sessions import service as sessions
from goodword.social import service as social
from goodword.users import service as users, verifications
from goodword.users.models import User, UserStatus
from goodword.web.idempotency import ANONYMOUS, IdempotencyKey


async def erase(session: AsyncSession, user: User, *, settings: Settings, now: datetime) -> None:
    """Forget a person, who is locked: all at once, in one transaction.

    Sessions end, codes stop working and lose their strings; stored answers, one-time tokens, letters still
    to be sent, what others said about them, and every personal column go.
    Referrals stay as a count without a name. What is not in the database, and what others are writing at this
    moment, `traces` follows up.
    """
    await sessions.revoke_all(session, user.id, why="erased", now=now)
    await oauth.forget(session, user.id)
    await social.forget(session, user.id)
    await email_checks.forget(session, user.id)
    await sessions.forget(session, user.id)
    key = derive_key(settings.secret, quotas.PURPOSE)
    await quotas.forget(session, key, export.quota_scopes(user.id).values())
    await codes.erase_all(session, user, now=now)
    # The answer to the sign-up of a friend says who brought them.
    friends = select(Referral.referee_id).where(Referral.referrer_id == user.id)
    names_them = and_(IdempotencyKey.caller == ANONYMOUS, IdempotencyKey.user_id.in_(friends))
    await session.execute(delete(IdempotencyKey).where(or_(IdempotencyKey.user_id == user.id, names_them)))
    assert user.email_key is not None, "it was not erased before"
    # What an administrator wrote of a referral can name the person.
    theirs = or_(Referral.referee_id == user.id, Referral.referrer_id == user.id)
    await session.execute(update(Referral).where(theirs, Referral.reason.is_not(None)).values(reason=None))
    await verifications.forget(session, user)
    await jobs.delete_for_user(session, user.id, email_key=user.email_key)
    await erasure_cleanup.schedule(session, user, settings=settings, now=now)
    await tombstones.record_tombstone(session, user.id, settings=settings, now=now)
    record(session, Action.USER_ERASED, Subject.USER, user.id)
    user.email = user.email_key = user.email_canonical = user.password_hash = None
    user.first_name = user.last_name = user.verified_at = None
    user.language = DEFAULT
    user.status, user.erased_at, user.is_admin = UserStatus.ERASED, now, False
    await session.flush()


log = structlog.get_logger("goodword.tombstones")


async def erase_again(database: Database, settings: Settings, clock: Callable[[], datetime]) -> None:
    """Bring the tombstones of the file and of the database together, and erase whom the database still has."""
    asked = actor_context.set(ActorContext(Actor.SYSTEM, clock=clock))
    try:
        people = await tombstones.find_restored(database, settings)
        for user_id in people:
            await _erase(database, user_id, settings, clock)
        await tombstones.sync_file(database, settings)
    finally:
        actor_context.reset(asked)
    if people:
        log.warning("people came back with a backup and were erased again", people=len(people))


async def _erase(
    database: Database, user_id: uuid.UUID, settings: Settings, clock: Callable[[], datetime]
) -> None:
    async with database.transaction() as session:
        user = await session.scalar(users.LOCKED, {"user_id": user_id})
        # Another process that starts at the same moment may have done it.
        if user is not None and user.status != UserStatus.ERASED:
            await erase(session, user, settings=settings, now=clock())
