"""Make a participant and an account one person, when the account verifies the address that a product reported."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.attribution import ancestors, service as attribution
from goodword.attribution.reasons import Reason
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes import changes, lookup, service as codes
from goodword.codes.models import ReferralCode, Retirement
from goodword.db.statements import insert
from goodword.db.transaction_hooks import insert_now
from goodword.domain_events import service as domain_events
from goodword.domain_events.events import UsersMerged
from goodword.referrals import service as referrals
from goodword.referrals.models import Referral, ReferralStatus
from goodword.services import Services
from goodword.sessions import service as sessions
from goodword.users.models import User, UserStatus
from goodword.web.models import IdempotencyKey


async def merge_reported(session: AsyncSession, services: Services, user: User, *, now: datetime) -> None:
    """Merge the only participant with the verified address of `user`, who is locked, into the account.

    The account's row stays, so that its sessions and tokens do. It takes the external id, codes and referrals. If
    several people were reported with the address, or the account is a participant already, nothing is merged: to
    choose would be a guess.
    """
    if user.external_id is not None or user.email_key is None:
        return
    place = {"email_key": user.email_key, "user_id": user.id}
    if len((await session.scalars(_REPORTED, place)).all()) != 1:
        return
    await attribution.serialize(session)
    found = (await session.scalars(_REPORTED_LOCKED, place)).all()
    if len(found) != 1 or found[0].email_key is not None or not found[0].is_active:
        return
    former = found[0]
    await insert_now(session)  # the referral of a registration that is verified at once
    await domain_events.publish(session, services, UsersMerged(former.id, user.id, now))
    await _move_codes(session, services, former, user, now=now)
    await _move_referrals(session, services, former, user, now=now)
    await _move_person(session, former, user, now=now)
    await codes.invalidate_lookups(session, user)
    record(session, Action.USER_MERGED, Subject.USER, user.id, merged=str(former.id))


async def _move_person(session: AsyncSession, former: User, user: User, *, now: datetime) -> None:
    """Give the account what identifies the participant, whose row stays for what references it."""
    await sessions.revoke_all(session, former.id, why="merged", now=now)
    await session.execute(
        update(IdempotencyKey).where(IdempotencyKey.user_id == former.id).values(user_id=user.id)
    )
    moved = {name: getattr(former, name) for name in _MOVED}
    names = {name: getattr(former, name) for name in ("first_name", "last_name")}
    moved["signed_up_at"] = former.signed_up_at or former.created_at
    for name in (*_MOVED, *names, "signed_up_at"):
        setattr(former, name, None)
    former.status, former.erased_at = UserStatus.ERASED, now
    await session.flush()  # before the unique external id is given to another row
    if user.first_name is None and user.last_name is None:
        moved |= names
    for name, value in moved.items():
        setattr(user, name, value)
    await session.flush()


async def _move_codes(
    session: AsyncSession, services: Services, former: User, user: User, *, now: datetime
) -> None:
    """Move the codes. Of two active ones in a program the participant's stays active, if it can be used."""
    active = (await session.scalars(_ACTIVE, {"owners": [former.id, user.id]})).all()
    by_program: dict[uuid.UUID, list[ReferralCode]] = {}
    for code in sorted(active, key=lambda code: code.owner_id != former.id):
        by_program.setdefault(code.program_id, []).append(code)
    for own, *others in by_program.values():
        for other in others:
            is_ended = not own.is_usable(now) and other.is_usable(now)
            await _retire(session, services, own if is_ended else other, is_ended=is_ended, now=now)
    await session.flush()
    await session.execute(
        update(ReferralCode).where(ReferralCode.owner_id == former.id).values(owner_id=user.id)
    )


async def _retire(
    session: AsyncSession, services: Services, code: ReferralCode, *, is_ended: bool, now: datetime
) -> None:
    ended = Retirement.USED_UP if code.is_used_up() else Retirement.EXPIRED
    code.retire(ended if is_ended else Retirement.REPLACED, now)
    lookup.invalidate(session, code.key, None)
    record(
        session,
        Action.CODE_RETIRED,
        Subject.CODE,
        code.id,
        person=code.owner_id,
        why=code.retired_reason or "",
    )
    await changes.publish(session, services, code, changes.RETIRED, now=now)


async def _move_referrals(
    session: AsyncSession, services: Services, former: User, user: User, *, now: datetime
) -> None:
    """Move the referrals in both directions. None is lost: one that cannot count stays rejected, with its reason."""
    both = {former.id, user.id}
    rows = (await session.scalars(_REFERRED, {"both": sorted(both)})).all()
    by_program: dict[uuid.UUID, list[Referral]] = {}
    for referral in sorted(rows, key=lambda row: (row.created_at, row.id)):
        by_program.setdefault(referral.program_id, []).append(referral)
    for found in by_program.values():
        reasons = [await _why_not(session, referral, both) for referral in found]
        kept = next((index for index, reason in enumerate(reasons) if reason is None), None)
        for index, referral in enumerate(found):
            if index != kept:
                reason = reasons[index] or Reason.ALREADY_REFERRED
                await _reject(session, services, referral, reason, now=now)
        await _place(session, found, kept, former, user, now=now)
    await session.execute(
        update(Referral).where(Referral.referrer_id == former.id).values(referrer_id=user.id)
    )


async def _why_not(session: AsyncSession, referral: Referral, both: set[uuid.UUID]) -> Reason | None:
    """Return why a referral of one of the two cannot count for the one person whom they become."""
    if referral.referrer_id in both:
        return Reason.SELF_REFERRAL
    above = await ancestors.referrers_above(session, referral.referrer_id, referral.program_id)
    return Reason.REFERRAL_CYCLE if both & above else None


async def _reject(
    session: AsyncSession, services: Services, referral: Referral, reason: Reason, *, now: datetime
) -> None:
    referral.reason = referral.reason or reason
    if referral.status != ReferralStatus.REJECTED:
        await referrals.change_status(session, services, referral, ReferralStatus.REJECTED, now=now)
        person = referral.referrer_id
        record(session, Action.REFERRAL_REJECTED, Subject.REFERRAL, referral.id, person=person)


async def _place(
    session: AsyncSession,
    rows: Sequence[Referral],
    kept: int | None,
    former: User,
    user: User,
    *,
    now: datetime,
) -> None:
    """Give the account the referral that counts, and the emptied row the other one.

    A person has one referral in a program. So two that change places need a third row for a moment.
    """
    target = {row.id: user.id if index == kept else former.id for index, row in enumerate(rows)}
    if kept is None and len(rows) > 1:  # no history without a circle leads here
        by_other = next(row for row in rows if row.referrer_id not in {former.id, user.id})
        target[by_other.id] = user.id
    moving = [row for row in rows if row.referee_id != target[row.id]]
    between: uuid.UUID | None = None
    if len(moving) > 1:
        spare = await insert(session, User, status=UserStatus.ERASED, created_at=now, erased_at=now)
        session.expunge(spare)
        between = moving[0].referee_id = spare.id
        await session.flush()
    for row in reversed(moving):
        if row.referrer_id in {former.id, user.id}:  # of oneself: the person referred the emptied row
            row.referrer_id = user.id
        row.referee_id = target[row.id]
        await session.flush()
    if between is not None:
        await session.execute(delete(User).where(User.id == between))


_MOVED = ("external_id", "program_id", "reported_email", "reported_email_key", "reported_email_canonical")
_REPORTED: Any = (
    select(User)
    .where(
        User.reported_email_key == bindparam("email_key"),
        User.id != bindparam("user_id"),
        User.status != UserStatus.ERASED,
    )
    .order_by(User.id)
    .limit(2)
)
_REPORTED_LOCKED = _REPORTED.with_for_update(key_share=True).execution_options(populate_existing=True)
_ACTIVE = (
    select(ReferralCode)
    .where(
        ReferralCode.owner_id.in_(bindparam("owners", expanding=True)),
        ReferralCode.activated_at.is_not(None),
        ReferralCode.retired_at.is_(None),
    )
    .with_for_update()
    .execution_options(populate_existing=True)
)
_REFERRED = (
    select(Referral)
    .where(Referral.referee_id.in_(bindparam("both", expanding=True)))
    .with_for_update()
    .execution_options(populate_existing=True)
)
