"""Lists of a referrer's referrals, with filters and pages."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, bindparam, func, select, tuple_

from goodword.codes import code_format
from goodword.codes.models import ReferralCode
from goodword.db.database import Database
from goodword.db.keyset import Position, keyset_order
from goodword.errors import Unprocessable
from goodword.referrals.models import Referral, ReferralStatus
from goodword.referrals.schemas import Order
from goodword.users.models import User, display_name, masked

MAX_TOTAL = 10_000


class RangeInvalid(Unprocessable):
    code, field = "range_invalid", "query.from"
    detail = "`from` must be before `to`. Statistics cover at most 400 intervals."


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
