"""The page of a user's referrals."""

from datetime import datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Request, Response

from goodword.referrals import listing, statistics
from goodword.referrals.schemas import Interval, Order
from goodword.services import services_of
from goodword.sessions.cookies import Visitor
from goodword.sessions.page_access import signed_in
from goodword.users import service as users
from goodword.users.models import display_name, masked
from goodword.web.dependencies import Clock, Reader
from goodword.web.html import charts
from goodword.web.html.rendering import page

router = APIRouter(include_in_schema=False)

PageVisitor = Annotated[Visitor, signed_in("/people")]

PAGE_SIZE = 20
DAYS = 30


@router.get("/people")
async def show_referrals(request: Request, visitor: PageVisitor, reader: Reader, clock: Clock) -> Response:
    """Show the referrals, newest first, and a chart of the last 30 days."""
    services, cursor, now = services_of(request), request.query_params.get("cursor"), clock()
    name = f"referrals {visitor.user_id} {None} {Order.NEWEST}"
    found = await listing.list_referrals(
        services.database,
        visitor.user_id,
        order=Order.NEWEST,
        after=services.cursors.read(cursor, of=name),
        limit=PAGE_SIZE,
    )
    rows, following = services.cursors.cut(found, PAGE_SIZE, of=name)
    since = datetime.combine(now.date() - timedelta(days=DAYS - 1), time(), now.tzinfo)
    daily = await statistics.count(
        services.database, visitor.user_id, start=since, end=now, interval=Interval.DAY
    )
    series = daily.series
    counts = [count for _, count in series]
    chart = charts.build([(count, 0) for count in counts])
    return page(
        request,
        "referrals.html",
        user=await users.get(reader, visitor.user_id),
        referrals=[(_name(row.first_name, row.last_name), masked(row.email), row) for row in rows],
        following=following,
        is_first=cursor is None,
        counts=counts,
        chart=chart,
        bars=[(at.date(), count, 0, bar) for (at, count), bar in zip(series, chart.bars, strict=True)],
        form_token=services.page_cookies.form_token(visitor),
    )


def _name(first_name: str | None, last_name: str | None) -> str | None:
    """Return the display name, or None for a user without a name: the page translates the placeholder."""
    return display_name(first_name, last_name) if first_name or last_name else None
