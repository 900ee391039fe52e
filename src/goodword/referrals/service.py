"""Rules of referrals: recording, confirmation, lists and statistics."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, bindparam, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit import service as audit
from goodword.audit.actions import Action, Subject
from goodword.codes import code_format
from goodword.codes.models import ReferralCode
from goodword.db.database import Database
from goodword.db.keyset import Position, keyset_order
from goodword.db.statements import with_defaults
from goodword.db.transaction_hooks import insert_before_commit
from goodword.errors import NotFound, Unprocessable
from goodword.jobs import service as jobs
from goodword.mail import notifications
from goodword.referrals.attributed import Attributed
from goodword.referrals.models import Referral, ReferralStatus
from goodword.referrals.schemas import Order
from goodword.users.models import User, display_name, masked

_TABLE: Any = Referral.__table__
MAX_TOTAL = 10_000


class UserNotFound(NotFound):
    code, detail = "user_not_found", "There is no such user, or you may not see it."


class RangeInvalid(Unprocessable):
    code, field = "range_invalid", "query.from"
    detail = "`from` must be before `to`. Statistics cover at most 400 intervals."


def record(
    session: AsyncSession, attributed: Attributed, referee: User, *, confirmed: bool, now: datetime
) -> uuid.UUID:
    """Record that `referee` joined a program because of a referrer. Return the id of the referral.

    It is inserted just before the commit, and is pending until the referee's e-mail address is verified, unless
    `confirmed` is true.
    """
    values = {
        "referrer_id": attributed.referrer_id,
        "referee_id": referee.id,
        "code_id": attributed.code_id,
        "program_id": attributed.program_id,
        "attributed_by": attributed.attributed_by,
        "touch_id": attributed.touch_id,
        "status": ReferralStatus.CONFIRMED if confirmed else ReferralStatus.PENDING,
        "created_at": now,
        "confirmed_at": now if confirmed else None,
    }
    row = with_defaults(Referral, values)
    referral_id: uuid.UUID = row["id"]
    insert_before_commit(session, _TABLE, row)
    details: dict[str, str | int] = {"code_id": str(attributed.code_id), "confirmed": confirmed}
    _audit(session, Action.REFERRAL_MADE, referral_id, attributed.referrer_id, **details)
    if confirmed and attributed.is_notified:
        _notify_referrer(session, attributed.referrer_id, referee.id, now=now)
    return referral_id


async def confirm(session: AsyncSession, referee_id: uuid.UUID, *, now: datetime) -> None:
    """Confirm the pending referrals of a referee whose e-mail address was verified: one in each program."""
    confirmed = await session.scalars(
        update(Referral)
        .where(Referral.referee_id == referee_id, Referral.status == ReferralStatus.PENDING)
        .values(status=ReferralStatus.CONFIRMED, confirmed_at=now)
        .returning(Referral)
    )
    for referral in confirmed.all():
        _audit(session, Action.REFERRAL_CONFIRMED, referral.id, referral.referrer_id)
        _notify_referrer(session, referral.referrer_id, referee_id, now=now)


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


@dataclass(frozen=True, slots=True)
class Filters:
    """Which of a referrer's referrals: all by default. `start` is included, `end` is not."""

    status: ReferralStatus | None = None
    code: str | None = None
    """As people paste it."""
    program_id: uuid.UUID | None = None
    start: datetime | None = None
    end: datetime | None = None

    def values(self) -> dict[str, object]:
        """Return the parameters of the given filters. Raises `RangeInvalid`."""
        if self.start and self.end and self.start >= self.end:
            raise RangeInvalid
        code = None if self.code is None else code_format.normalise(self.code) or ""
        found = {
            "status": self.status,
            "code_key": code,
            "program_id": self.program_id,
            "start": self.start,
            "end": self.end,
        }
        return {name: value for name, value in found.items() if value is not None}


ALL = Filters()


async def list_referrals(
    database: Database,
    referrer_id: uuid.UUID,
    *,
    filters: Filters = ALL,
    order: Order,
    after: Position | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """Return a referrer's referrals with the names of the referees, and one more than `limit` if there are more.

    The columns are those of `_page`, in this order.

    Raises `RangeInvalid`.
    """
    values = filters.values()
    statement = _page(order, frozenset(values), after is not None)
    if after is not None:
        values |= {"after_created_at": after.created_at, "after_id": after.id}
    return await database.replica_rows(statement, referrer_id=referrer_id, rows=limit + 1, **values)


def shown(row: Any) -> dict[str, Any]:
    """Return a referral of `list_referrals` as its referrer sees it."""
    referral_id, status, created_at, confirmed_at, code, first_name, last_name, email, _ = row
    return {
        # `str` because `to_json` takes twenty times as long for the UUIDs of asyncpg, a subclass.
        "id": str(referral_id),
        "referee": {"display_name": display_name(first_name, last_name), "email_masked": masked(email)},
        "code": code,
        "status": status,
        "created_at": created_at,
        "confirmed_at": confirmed_at,
    }


async def count_referrals(database: Database, referrer_id: uuid.UUID, *, filters: Filters) -> int:
    """Return the number of a referrer's referrals, at most `MAX_TOTAL`. Raises `RangeInvalid`."""
    values = filters.values()
    rows = await database.replica_rows(_total(frozenset(values)), referrer_id=referrer_id, **values)
    return int(rows[0].total) if rows else 0


async def referred_by(session: AsyncSession, referee_id: uuid.UUID) -> str | None:
    """Return the display name of the user's referrer: the first, if there is one in each of several programs."""
    row = (await session.execute(_REFERRER, {"referee_id": referee_id})).one_or_none()
    return display_name(row.first_name, row.last_name) if row else None


_TIME = Referral.created_at.type
_CONDITIONS = {
    "status": Referral.status == bindparam("status"),
    "code_key": ReferralCode.key == bindparam("code_key"),
    "program_id": Referral.program_id == bindparam("program_id"),
    "start": Referral.created_at >= bindparam("start", type_=_TIME),
    "end": Referral.created_at < bindparam("end", type_=_TIME),
}


def _filtered(query: Any, filters: frozenset[str]) -> Any:
    own = query.where(Referral.referrer_id == bindparam("referrer_id"))
    return own.where(*(_CONDITIONS[name] for name in sorted(filters)))


@cache
def _total(filters: frozenset[str]) -> Any:
    rows = select(Referral.id).join(ReferralCode, ReferralCode.id == Referral.code_id)
    rows = _filtered(rows, filters).limit(MAX_TOTAL).subquery()
    return select(func.count().label("total")).select_from(rows)


@cache
def _page(order: Order, filters: frozenset[str], continued: bool) -> Any:
    query = (
        select(
            Referral.id,
            Referral.status,
            Referral.created_at,
            Referral.confirmed_at,
            ReferralCode.code,
            User.first_name,
            User.last_name,
            func.coalesce(User.email, User.reported_email).label("email"),
            User.external_id,
        )
        .join(User, User.id == Referral.referee_id)
        .join(ReferralCode, ReferralCode.id == Referral.code_id)
        .limit(bindparam("rows"))
    )
    query = _filtered(query, filters)
    columns = (Referral.created_at, Referral.id)
    after = tuple_(*(bindparam(f"after_{c.key}", type_=c.type) for c in columns)) if continued else None
    return keyset_order(query, columns, after=after, descending=order == Order.NEWEST)


_REFERRER = (
    select(User.first_name, User.last_name)
    .join(Referral, Referral.referrer_id == User.id)
    .where(Referral.referee_id == bindparam("referee_id"))
    .order_by(Referral.created_at, Referral.id)
    .limit(1)
)
