"""What administrators watch: who joins, who brings them, which codes end, and whether letters go out.

No figure reads a whole table. Ids grow with time (RFC 9562 §5.7), so the primary key is the index of "lately";
where even that is much, the latest `MAX_COUNTED` rows are counted, and the page says "or more".
"""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, select

from goodword.codes.models import ReferralCode
from goodword.db.base import Base
from goodword.db.database import Database
from goodword.invitations.emails import SEND_EMAIL
from goodword.jobs import admin as jobs
from goodword.jobs.admin import MAX_COUNTED
from goodword.mail import notifications
from goodword.mail.models import Unsubscribe
from goodword.referrals.models import Referral, ReferralStatus
from goodword.users.models import Purpose, User

DAYS = 30
SOON = timedelta(days=7)
EMAIL_DAYS = timedelta(days=7)
TOP = 10
EMAILS = frozenset({*Purpose, notifications.KIND, SEND_EMAIL})
"""The kinds of jobs each of which is one letter."""


@dataclass(frozen=True, slots=True)
class Day:
    """How many joined on a day (UTC), and how many of them by a code."""

    day: date
    joined: int
    by_code: int


@dataclass(frozen=True, slots=True)
class Emails:
    """Letters of the last seven days; `refusing` are the mailboxes that want none which others cause."""

    sent: int
    waiting: int
    dead: int
    refusing: int
    is_part: bool
    """There were more jobs in these days than are looked at."""


async def days(database: Database, *, now: datetime) -> Sequence[Day]:
    """The last thirty days, today last, without gaps."""
    first = now.date() - timedelta(days=DAYS - 1)
    each = [first + timedelta(days=number) for number in range(DAYS + 1)]
    starts = {f"day_{n}": _first_id(datetime.combine(day, time(), now.tzinfo)) for n, day in enumerate(each)}
    row = await database.row(_DAYS, **starts)
    return [
        Day(day, getattr(row, f"joined_{n}"), getattr(row, f"by_code_{n}"))
        for n, day in enumerate(each[:DAYS])
    ]


async def top_referrers(database: Database, *, now: datetime) -> Sequence[Row[Any]]:
    """Who brought most in the last thirty days; referrals that were rejected do not count."""
    return await database.rows(_TOP, since=_first_id(now - timedelta(days=DAYS)))


async def codes_ending(database: Database, *, now: datetime) -> int:
    """How many codes in force end within seven days."""
    return await _count(database, _ENDING, start=now, end=now + SOON)


async def open_jobs(database: Database, *, now: datetime) -> Mapping[str, Counter[str]]:
    """How many jobs are waiting, running and dead, by kind."""
    found: dict[str, Counter[str]] = {}
    for row in await jobs.count_open(database, now=now):
        found.setdefault(row.kind, Counter())[row.state] = row.jobs
    return found


async def emails(database: Database, waiting: Mapping[str, Counter[str]], *, now: datetime) -> Emails:
    """Letters sent and given up lately, and those of the open jobs in `waiting`."""
    rows = await jobs.count_finished(database, since=now - EMAIL_DAYS)
    finished: Counter[str] = Counter()
    for row in rows:
        if row.kind in EMAILS:
            finished[row.outcome] += row.jobs
    still = sum(counts["waiting"] + counts["running"] for kind, counts in waiting.items() if kind in EMAILS)
    return Emails(
        sent=finished["done"],
        waiting=still,
        dead=finished["dead"],
        refusing=await _count(database, _REFUSING),
        is_part=sum(row.jobs for row in rows) >= MAX_COUNTED,
    )


async def _count(database: Database, statement: Any, **values: object) -> int:
    row = await database.row(statement, **values)
    return row.found if row else 0


def _first_id(at: datetime) -> uuid.UUID:
    """No id that is made at this instant or later comes before it: UUIDv7 begins with milliseconds."""
    return uuid.UUID(int=int(at.timestamp() * 1000) << 80)


def _counted(rows: Any) -> Any:
    return select(func.count().label("found")).select_from(rows.limit(MAX_COUNTED).subquery())


def _days() -> Any:
    # Sixty counts in as many ranges of two primary keys: no row is fetched for any of them.
    def between(model: type[Base], number: int) -> Any:
        start, end = (bindparam(f"day_{n}", type_=model.id.type) for n in (number, number + 1))
        return _counted(select(model.id).where(model.id >= start, model.id < end)).scalar_subquery()

    return select(
        *(
            between(model, number).label(f"{name}_{number}")
            for name, model in (("joined", User), ("by_code", Referral))
            for number in range(DAYS)
        )
    )


def _top() -> Any:
    latest = (
        select(Referral.referrer_id, Referral.status)
        .where(Referral.id >= bindparam("since", type_=Referral.id.type))
        .order_by(Referral.id.desc())
        .limit(MAX_COUNTED)
        .subquery()
    )
    brought = func.count().label("brought")
    most = (
        select(latest.c.referrer_id, brought)
        .where(latest.c.status != ReferralStatus.REJECTED)
        .group_by(latest.c.referrer_id)
        .order_by(brought.desc(), latest.c.referrer_id)
        .limit(TOP)
        .subquery()
    )
    return (
        select(User.id, User.first_name, User.last_name, User.email, User.status, most.c.brought)
        .join_from(most, User, User.id == most.c.referrer_id)
        .order_by(most.c.brought.desc(), User.id)
    )


_DAYS, _TOP = _days(), _top()
_ENDING = _counted(
    select(ReferralCode.id).where(
        ReferralCode.activated_at.is_not(None),
        ReferralCode.retired_at.is_(None),
        ReferralCode.expires_at > bindparam("start", type_=ReferralCode.expires_at.type),
        ReferralCode.expires_at <= bindparam("end", type_=ReferralCode.expires_at.type),
    )
)
_REFUSING = _counted(select(Unsubscribe.id))
