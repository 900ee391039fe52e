"""The review of referrals: those that are held, and the decisions about them."""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from goodword import actor
from goodword.codes.models import ReferralCode
from goodword.db.keyset import Position, keyset_page
from goodword.db.statements import with_defaults
from goodword.db.transaction_hooks import insert_before_commit
from goodword.programs.models import Program
from goodword.referrals import service as referrals
from goodword.referrals.models import IS_HELD, Referral, ReferralStatus
from goodword.referrals.service import ReferralNotFound
from goodword.risk.models import Decision, Review, RiskSignal
from goodword.services import Services
from goodword.users.models import User

MAX_COUNTED = 100
_REVIEWS: Any = Review.__table__


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A referral with what a reviewer needs. `created_at` and `id` are its place in the list."""

    referral: Referral
    program: str
    code: str | None
    referrer: User
    referee: User
    signals: Sequence[RiskSignal]

    @property
    def id(self) -> uuid.UUID:
        return self.referral.id

    @property
    def created_at(self) -> datetime:
        return self.referral.created_at


async def list_held(
    session: AsyncSession, *, within: uuid.UUID | None, after: Position | None, limit: int
) -> Sequence[Reviewed]:
    """Return held referrals, the oldest first, and one more than `limit` if more exist. `within`: of one program."""
    query = _REVIEWED.where(IS_HELD)
    if within is not None:
        query = query.where(Referral.program_id == within)
    place = (Referral.created_at, Referral.id)
    page = keyset_page(query, place, after=after, limit=limit, descending=False)
    return await _with_signals(session, (await session.execute(page)).all())


async def get(session: AsyncSession, referral_id: uuid.UUID) -> Reviewed:
    """Return a referral with any status. Raises `ReferralNotFound`."""
    rows = (await session.execute(_REVIEWED.where(Referral.id == referral_id))).all()
    found = await _with_signals(session, rows)
    if not found:
        raise ReferralNotFound
    return found[0]


async def count_held(session: AsyncSession) -> int:
    """Return the number of held referrals, up to `MAX_COUNTED`."""
    return await session.scalar(_COUNT) or 0


async def count_by_status(
    session: AsyncSession, referrer_ids: Iterable[uuid.UUID]
) -> Mapping[uuid.UUID, Counter[str]]:
    """Return the numbers of referrals of some referrers, by status."""
    found: dict[uuid.UUID, Counter[str]] = {}
    for row in await session.execute(_BY_STATUS, {"referrer_ids": list(referrer_ids)}):
        found.setdefault(row.referrer_id, Counter())[row.status] = row.number
    return found


async def accept(
    session: AsyncSession,
    services: Services,
    referral_id: uuid.UUID,
    *,
    within: uuid.UUID | None = None,
    now: datetime,
) -> None:
    """Release a held referral. One that is not held stays as it is.

    `within` is the only program that the caller reaches. Raises `ReferralNotFound` and `ReferralRejected`.
    """
    former = await _lock(session, referral_id, within)
    await referrals.accept(session, services, referral_id, now=now)
    if former == ReferralStatus.HELD:
        _record(session, referral_id, Decision.ACCEPTED, None, now=now)


async def reject(
    session: AsyncSession,
    services: Services,
    referral_id: uuid.UUID,
    *,
    reason: str,
    within: uuid.UUID | None = None,
    now: datetime,
) -> Referral:
    """Reject a referral, so that it and its rewards no longer count.

    `within` is the only program that the caller reaches. Raises `ReferralNotFound` and `ReferralRejected`.
    """
    await _lock(session, referral_id, within)
    referral = await referrals.reject(session, services, referral_id, reason=reason, now=now)
    _record(session, referral_id, Decision.REJECTED, reason, now=now)
    return referral


async def _lock(session: AsyncSession, referral_id: uuid.UUID, within: uuid.UUID | None) -> str:
    """Lock a referral, and return its status."""
    referral = await referrals.lock(session, referral_id)
    if within not in {None, referral.program_id}:
        raise ReferralNotFound
    return referral.status


def _record(
    session: AsyncSession, referral_id: uuid.UUID, decision: Decision, reason: str | None, *, now: datetime
) -> None:
    by = actor.current_context()
    values = {
        "referral_id": referral_id,
        "decision": decision,
        "reason": reason,
        "actor": by.actor.value,
        "actor_id": by.actor_id,
        "created_at": now,
    }
    insert_before_commit(session, _REVIEWS, with_defaults(Review, values))


async def _with_signals(session: AsyncSession, rows: Sequence[Any]) -> Sequence[Reviewed]:
    signals = await _signals_of(session, [row.Referral.id for row in rows]) if rows else {}
    return [
        Reviewed(referral, program, code, referrer, referee, signals.get(referral.id, ()))
        for referral, program, code, referrer, referee in rows
    ]


async def _signals_of(
    session: AsyncSession, referral_ids: Iterable[uuid.UUID]
) -> Mapping[uuid.UUID, Sequence[RiskSignal]]:
    found: dict[uuid.UUID, list[RiskSignal]] = {}
    for signal in await session.scalars(_SIGNALS, {"referral_ids": list(referral_ids)}):
        found.setdefault(signal.referral_id, []).append(signal)
    return found


_referrer, _referee = aliased(User), aliased(User)
_REVIEWED: Any = (
    select(Referral, Program.slug, ReferralCode.code, _referrer, _referee)
    .join(Program, Program.id == Referral.program_id)
    .join(ReferralCode, ReferralCode.id == Referral.code_id)
    .join(_referrer, _referrer.id == Referral.referrer_id)
    .join(_referee, _referee.id == Referral.referee_id)
)
_SIGNALS = (
    select(RiskSignal)
    .where(RiskSignal.referral_id.in_(bindparam("referral_ids", expanding=True)))
    .order_by(RiskSignal.referral_id, RiskSignal.kind)
)
_BY_STATUS = (
    select(Referral.referrer_id, Referral.status, func.count().label("number"))
    .where(Referral.referrer_id.in_(bindparam("referrer_ids", expanding=True)))
    .group_by(Referral.referrer_id, Referral.status)
)
_COUNT = select(func.count()).select_from(select(Referral.id).where(IS_HELD).limit(MAX_COUNTED).subquery())
