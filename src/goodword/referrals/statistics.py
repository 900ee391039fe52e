"""Counts of the referrals of a referrer: by status, by code, and over time."""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import bindparam, func, select

from goodword.codes.models import ReferralCode
from goodword.db.database import Database
from goodword.referrals.listing import RangeInvalid
from goodword.referrals.models import Referral
from goodword.referrals.schemas import Interval

MAX_BUCKETS = 400
MAX_CODES = 100
DEFAULT_RANGE = {
    Interval.DAY: timedelta(days=30),
    Interval.WEEK: timedelta(weeks=26),
    Interval.MONTH: timedelta(days=365),
}


@dataclass(frozen=True, slots=True)
class Statistics:
    by_status: Mapping[str, int]
    by_code: Sequence[tuple[str | None, int]]
    series: Sequence[tuple[datetime, int]]


def resolve_range(
    start: datetime | None, end: datetime | None, interval: Interval, *, now: datetime
) -> tuple[datetime, datetime]:
    """Return the range of statistics with defaults for `start` and `end`. Raises `RangeInvalid`."""
    end = end or now
    try:
        start = start or end - DEFAULT_RANGE[interval]
    except OverflowError:
        raise RangeInvalid from None
    shortest = {Interval.DAY: 1, Interval.WEEK: 7, Interval.MONTH: 28}[interval]
    if not timedelta(0) < end - start <= timedelta(days=shortest) * MAX_BUCKETS:
        raise RangeInvalid
    return start, end


async def count_by_status(database: Database, referrer_id: uuid.UUID) -> Mapping[str, int]:
    """Count all referrals of a referrer by status."""
    return {row.status: row.referrals for row in await database.rows(_BY_STATUS, referrer_id=referrer_id)}


async def count(
    database: Database, referrer_id: uuid.UUID, *, start: datetime, end: datetime, interval: Interval
) -> Statistics:
    """Count the referrals in [start, end) by status, by code, and in a series without gaps.

    One statement reads all counts, so they agree with each other.
    """
    rows = await database.replica_rows(_COUNTS, referrer_id=referrer_id, start=start, end=end)
    by_status: Counter[str] = Counter()
    by_code: Counter[str | None] = Counter()
    series = dict.fromkeys(_buckets(start, end, interval), 0)
    for row in rows:
        by_status[row.status] += row.referrals
        by_code[row.code] += row.referrals
        day = row.day if isinstance(row.day, date) else date.fromisoformat(row.day)
        series[_bucket(day, interval)] += row.referrals
    return Statistics(
        by_status,
        by_code.most_common(MAX_CODES),
        [(datetime.combine(day, time(), UTC), count) for day, count in series.items()],
    )


def _bucket(day: date, interval: Interval) -> date:
    """Return the first day of the interval that contains `day`. Weeks begin on Monday (ISO 8601)."""
    if interval == Interval.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if interval == Interval.MONTH else day


def _buckets(start: datetime, end: datetime, interval: Interval) -> Sequence[date]:
    last = (end - timedelta(microseconds=1)).date()
    days = ((start.date() + timedelta(days=n)) for n in range((last - start.date()).days + 1))
    return list(dict.fromkeys(_bucket(day, interval) for day in days))


_BY_STATUS = (
    select(Referral.status, func.count().label("referrals"))
    .where(Referral.referrer_id == bindparam("referrer_id"))
    .group_by(Referral.status)
)
_TIME = Referral.created_at.type
# In UTC on both databases: SQLite stores UTC, and the time zone of PostgreSQL sessions is UTC.
_DAY = func.date(Referral.created_at).label("day")
_COUNTS = (
    select(Referral.status, ReferralCode.code, _DAY, func.count().label("referrals"))
    .join(ReferralCode, ReferralCode.id == Referral.code_id)
    .where(
        Referral.referrer_id == bindparam("referrer_id"),
        Referral.created_at >= bindparam("start", type_=_TIME),
        Referral.created_at < bindparam("end", type_=_TIME),
    )
    .group_by(Referral.status, ReferralCode.id, ReferralCode.code, _DAY)
    .order_by(ReferralCode.id)
)
