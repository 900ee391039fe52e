"""Rules of referrals: recording, confirmation and review."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit import service as audit
from goodword.audit.actions import Action, Subject
from goodword.db.statements import with_defaults
from goodword.db.transaction_hooks import insert_before_commit
from goodword.domain_events import service as domain_events
from goodword.domain_events.events import ReferralChanged, ReferralMade
from goodword.errors import Conflict, NotFound
from goodword.jobs import service as jobs
from goodword.mail import notifications
from goodword.referrals.attributed import Attributed
from goodword.referrals.models import Referral, ReferralStatus
from goodword.services import Services
from goodword.users.models import User, display_name

_TABLE: Any = Referral.__table__


class UserNotFound(NotFound):
    code, detail = "user_not_found", "There is no such user, or you may not see it."


class ReferralNotFound(NotFound):
    code, detail = "referral_not_found", "There is no such referral."


class ReferralRejected(Conflict):
    code, detail = "referral_rejected", "This referral is already rejected."


async def record(
    session: AsyncSession,
    services: Services,
    attributed: Attributed,
    referee: User,
    *,
    status: ReferralStatus,
    now: datetime,
    registered_before: bool = False,
) -> uuid.UUID:
    """Record that `referee` joined a program because of a referrer. Return the id of the referral.

    It is inserted just before the commit. A pending one is confirmed when the referee's e-mail address is verified,
    and a held one waits for a review.
    """
    confirmed = status == ReferralStatus.CONFIRMED
    values = {
        "referrer_id": attributed.referrer_id,
        "referee_id": referee.id,
        "code_id": attributed.code_id,
        "program_id": attributed.program_id,
        "attributed_by": attributed.attributed_by,
        "touch_id": attributed.touch_id,
        "status": status,
        "created_at": now,
        "confirmed_at": now if confirmed else None,
        "registered_before": registered_before,
    }
    row = with_defaults(Referral, values)
    referral_id: uuid.UUID = row["id"]
    insert_before_commit(session, _TABLE, row)
    details: dict[str, str | int] = {"code_id": str(attributed.code_id), "confirmed": confirmed}
    _audit(session, Action.REFERRAL_MADE, referral_id, attributed.referrer_id, **details)
    if confirmed and attributed.is_notified:
        _notify_referrer(session, attributed.referrer_id, referee.id, now=now)
    made = ReferralMade(
        referral_id=referral_id,
        program_id=attributed.program_id,
        referrer_id=attributed.referrer_id,
        referee_id=referee.id,
        status=status,
        signed_up_at=referee.signed_up_at or referee.created_at,
        registered_before=registered_before,
        at=now,
    )
    await domain_events.publish(session, services, made)
    return referral_id


async def confirm(session: AsyncSession, services: Services, referee_id: uuid.UUID, *, now: datetime) -> None:
    """Confirm the pending referrals of a referee whose e-mail address was verified: one in each program."""
    for referral_id in (await session.scalars(_PENDING, {"referee_id": referee_id})).all():
        referral = await lock(session, referral_id)
        if referral.status == ReferralStatus.PENDING:
            await _confirm(session, services, referral, confirmed_at=now, now=now)


async def accept(
    session: AsyncSession, services: Services, referral_id: uuid.UUID, *, now: datetime
) -> Referral:
    """Release a held referral after a review. One that is not held stays as it is.

    It is confirmed as of the time at which it would have been without the hold, or pending if the referee still has an
    address to verify. Raises `ReferralNotFound`, and `ReferralRejected` for a rejected one.
    """
    referral = await lock(session, referral_id)
    if referral.status in {ReferralStatus.REJECTED, ReferralStatus.REVERSED}:
        raise ReferralRejected
    if referral.status != ReferralStatus.HELD:
        return referral
    # A concurrent verification of the address does not see that the referral is pending now: wait for its end.
    referee: User = (await session.scalars(_REFEREE, {"user_id": referral.referee_id})).one()
    _audit(session, Action.REFERRAL_ACCEPTED, referral.id, referral.referrer_id)
    is_unverified = referee.external_id is None and referee.verified_at is None
    if is_unverified and referee.email is not None and services.settings.smtp_url is not None:
        await change_status(session, services, referral, ReferralStatus.PENDING, now=now)
        return referral
    verified_at = referee.verified_at or referral.created_at
    await _confirm(session, services, referral, confirmed_at=max(referral.created_at, verified_at), now=now)
    return referral


async def reject(
    session: AsyncSession, services: Services, referral_id: uuid.UUID, *, reason: str, now: datetime
) -> Referral:
    """Reject a referral, so that it and its rewards no longer count.

    Raises `ReferralNotFound` and `ReferralRejected`.
    """
    referral = await lock(session, referral_id)
    if referral.status == ReferralStatus.REJECTED:
        raise ReferralRejected
    referral.reason = reason
    await change_status(session, services, referral, ReferralStatus.REJECTED, now=now)
    _audit(session, Action.REFERRAL_REJECTED, referral.id, referral.referrer_id)
    return referral


async def lock(session: AsyncSession, referral_id: uuid.UUID) -> Referral:
    """Return a referral, locked with its referrer. Raises `ReferralNotFound`."""
    referral: Referral | None = await session.scalar(_LOCKED, {"referral_id": referral_id})
    if referral is None:  # maybe a merge that has just ended gave it another referrer
        referral = await session.scalar(_LOCKED, {"referral_id": referral_id})
    if referral is None:
        raise ReferralNotFound
    return referral


async def change_status(
    session: AsyncSession, services: Services, referral: Referral, status: ReferralStatus, *, now: datetime
) -> None:
    """Give a locked referral another status, and publish that."""
    former, referral.status = referral.status, status
    await session.flush()
    changed = ReferralChanged(
        referral_id=referral.id,
        program_id=referral.program_id,
        referrer_id=referral.referrer_id,
        referee_id=referral.referee_id,
        former=former,
        status=status,
        confirmed_at=referral.confirmed_at,
        at=now,
    )
    await domain_events.publish(session, services, changed)


async def _confirm(
    session: AsyncSession, services: Services, referral: Referral, *, confirmed_at: datetime, now: datetime
) -> None:
    referral.confirmed_at = confirmed_at
    _audit(session, Action.REFERRAL_CONFIRMED, referral.id, referral.referrer_id)
    _notify_referrer(session, referral.referrer_id, referral.referee_id, now=now)
    await change_status(session, services, referral, ReferralStatus.CONFIRMED, now=now)


def _audit(
    session: AsyncSession, action: Action, referral: uuid.UUID, referrer: uuid.UUID, **details: str | int
) -> None:
    audit.record(session, action, Subject.REFERRAL, referral, person=referrer, **details)


def _notify_referrer(
    session: AsyncSession, referrer: uuid.UUID, referee: uuid.UUID, *, now: datetime
) -> None:
    # The job has no name of the referee, who may be erased before the e-mail is sent.
    payload = {"referee_id": str(referee)}
    jobs.enqueue(session, notifications.FRIEND_JOINED, payload, user_id=referrer, now=now)


async def referred_by(session: AsyncSession, referee_id: uuid.UUID) -> str | None:
    """Return the display name of the user's referrer: the first, if there is one in each of several programs."""
    row = (await session.execute(_REFERRER, {"referee_id": referee_id})).one_or_none()
    return display_name(row.first_name, row.last_name) if row else None


_LOCKED: Any = (
    select(Referral)
    .join(User, User.id == Referral.referrer_id)
    .where(Referral.id == bindparam("referral_id"))
    .with_for_update(key_share=True, of=(User, Referral))
    .execution_options(populate_existing=True)
)
"""Locks the referrer before the referral, as sign-ups do."""
_REFEREE = (
    select(User)
    .where(User.id == bindparam("user_id"))
    .with_for_update(read=True)
    .execution_options(populate_existing=True)
)
_PENDING = (
    select(Referral.id)
    .where(Referral.referee_id == bindparam("referee_id"), Referral.status == ReferralStatus.PENDING)
    .order_by(Referral.referrer_id)
)
_REFERRER = (
    select(User.first_name, User.last_name)
    .join(Referral, Referral.referrer_id == User.id)
    .where(Referral.referee_id == bindparam("referee_id"))
    .order_by(Referral.created_at, Referral.id)
    .limit(1)
)
