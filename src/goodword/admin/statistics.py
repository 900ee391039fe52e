"""Statistics for administrators: sign-ups, referrers, expiring codes, jobs and e-mail.

No query reads a whole table. Ids grow with time (RFC 9562 §5.7), so the primary key finds recent rows. At most
`MAX_COUNTED` rows are counted; the page then says "or more".
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, select

from goodword.audit.service import first_id
from goodword.codes.models import ReferralCode
from goodword.db.base import Base
from goodword.db.database import Database
from goodword.invitations.emails import SEND_EMAIL
from goodword.jobs import admin as jobs
from goodword.jobs.admin import MAX_COUNTED
from goodword.mail import notifications
from goodword.mail.models import Unsubscribe
from goodword.referrals.models import Referral, ReferralStatus
from goodword.users.models import Purpose, User, handle_of

DAYS = 30
EXPIRES_SOON = timedelta(days=7)
EMAIL_DAYS = timedelta(days=7)
MAX_REFERRERS = 10
EMAIL_KINDS = frozenset({*Purpose, notifications.KIND, SEND_EMAIL})
"""The kinds of jobs that send one e-mail each."""


@dataclass(frozen=True, slots=True)
class Day:
    """The number of sign-ups on a day (UTC), and of those with a code."""

    day: date
    joined: int
    by_code: int


@dataclass(frozen=True, slots=True)
class Emails:
    """E-mail counts of the last seven days. `unsubscribed` counts the unsubscribed addresses."""

    sent: int
    waiting: int
    dead: int
    unsubscribed: int
    is_part: bool
    """Whether there were more jobs than are counted."""


async def sign_ups_by_day(database: Database, *, now: datetime) -> Sequence[Day]:
    """Return the sign-ups of each of the last thirty days, today last."""
    first = now.date() - timedelta(days=DAYS - 1)
    each = [first + timedelta(days=number) for number in range(DAYS + 1)]
    starts = {f"day_{n}": first_id(datetime.combine(day, time(), now.tzinfo)) for n, day in enumerate(each)}
    [row] = await database.replica_rows(_SIGN_UPS_BY_DAY, **starts)
    return [
        Day(day, getattr(row, f"joined_{n}"), getattr(row, f"by_code_{n}"))
        for n, day in enumerate(each[:DAYS])
    ]


async def top_referrers(database: Database, *, now: datetime) -> Sequence[Row[Any]]:
    """Return the users with the most referrals in the last thirty days, without rejected ones."""
    return await database.replica_rows(_TOP_REFERRERS, since=first_id(now - timedelta(days=DAYS)))


async def count_expiring_codes(database: Database, *, now: datetime) -> int:
    """Return the number of active codes that expire within seven days."""
    return await _count(database, _EXPIRING_CODES, start=now, end=now + EXPIRES_SOON)


async def count_open_jobs(database: Database, *, now: datetime) -> Mapping[str, Counter[str]]:
    """Return the number of waiting, running and dead jobs by kind."""
    found: dict[str, Counter[str]] = {}
    for row in await jobs.count_open(database, now=now):
        found.setdefault(row.kind, Counter())[row.state] = row.jobs
    return found


async def count_emails(database: Database, waiting: Mapping[str, Counter[str]], *, now: datetime) -> Emails:
    """Return the e-mail counts; `waiting` is the result of `count_open_jobs`."""
    rows = await jobs.count_finished(database, since=now - EMAIL_DAYS)
    finished: Counter[str] = Counter()
    for row in rows:
        if row.kind in EMAIL_KINDS:
            finished[row.outcome] += row.jobs
    still = sum(
        counts["waiting"] + counts["running"] for kind, counts in waiting.items() if kind in EMAIL_KINDS
    )
    return Emails(
        sent=finished["done"],
        waiting=still,
        dead=finished["dead"],
        unsubscribed=await _count(database, _UNSUBSCRIBED),
        is_part=sum(row.jobs for row in rows) >= MAX_COUNTED,
    )


async def _count(database: Database, statement: Any, **values: object) -> int:
    [row] = await database.replica_rows(statement, **values)
    return int(row.found)


def _bounded_count(rows: Any) -> Any:
    return select(func.count().label("found")).select_from(rows.limit(MAX_COUNTED).subquery())


def _sign_ups_by_day() -> Any:
    # Sixty counts over ranges of two primary keys, which fetch no row.
    def count_between(model: type[Base], number: int) -> Any:
        start, end = (bindparam(f"day_{n}", type_=model.id.type) for n in (number, number + 1))
        return _bounded_count(select(model.id).where(model.id >= start, model.id < end)).scalar_subquery()

    return select(
        *(
            count_between(model, number).label(f"{name}_{number}")
            for name, model in (("joined", User), ("by_code", Referral))
            for number in range(DAYS)
        )
    )


def _top_referrers() -> Any:
    latest = (
        select(Referral.referrer_id, Referral.status)
        .where(Referral.id >= bindparam("since", type_=Referral.id.type))
        .order_by(Referral.id.desc())
        .limit(MAX_COUNTED)
        .subquery()
    )
    referred = func.count().label("referred")
    most = (
        select(latest.c.referrer_id, referred)
        .where(latest.c.status != ReferralStatus.REJECTED)
        .group_by(latest.c.referrer_id)
        .order_by(referred.desc(), latest.c.referrer_id)
        .limit(MAX_REFERRERS)
        .subquery()
    )
    return (
        select(
            User.id,
            User.first_name,
            User.last_name,
            handle_of().label("handle"),
            User.status,
            most.c.referred,
        )
        .join_from(most, User, User.id == most.c.referrer_id)
        .order_by(most.c.referred.desc(), User.id)
    )


_SIGN_UPS_BY_DAY, _TOP_REFERRERS = _sign_ups_by_day(), _top_referrers()
_EXPIRING_CODES = _bounded_count(
    select(ReferralCode.id).where(
        ReferralCode.activated_at.is_not(None),
        ReferralCode.retired_at.is_(None),
        ReferralCode.expires_at > bindparam("start", type_=ReferralCode.expires_at.type),
        ReferralCode.expires_at <= bindparam("end", type_=ReferralCode.expires_at.type),
    )
)
_UNSUBSCRIBED = _bounded_count(select(Unsubscribe.id))
