"""The people whom somebody brought: who, when, and how many lately."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from goodword.referrals import service
from goodword.referrals.schemas import Interval, Order
from goodword.services import services_of
from goodword.sessions.page_access import require_visitor
from goodword.users import service as users
from goodword.users.models import display_name, masked
from goodword.web.dependencies import Clock, Reader
from goodword.web.html.rendering import page

router = APIRouter(include_in_schema=False)

AT_ONCE = 20
DAYS = 30
WIDTH, HEIGHT, GAP = 300, 80, 2


class Bar(NamedTuple):
    x: int
    y: int
    width: int
    height: int


@router.get("/people")
async def show_referrals(request: Request, reader: Reader, clock: Clock) -> Response:
    """One's referrals, newest first, and a picture of the last thirty days."""
    visitor = await require_visitor(request, "/people")
    if isinstance(visitor, Response):
        return visitor
    services, cursor, now = services_of(request), request.query_params.get("cursor"), clock()
    name = f"referrals {visitor.user_id} {None} {Order.NEWEST}"
    found = await service.list_referrals(
        services.database,
        visitor.user_id,
        status=None,
        order=Order.NEWEST,
        after=services.cursors.read(cursor, of=name),
        limit=AT_ONCE,
    )
    rows, following = services.cursors.cut(found, AT_ONCE, of=name)
    since = datetime.combine(now.date() - timedelta(days=DAYS - 1), time(), now.tzinfo)
    figures = await service.statistics(
        services.database, visitor.user_id, start=since, end=now, interval=Interval.DAY
    )
    counts = [count for _, count in figures.series]
    return page(
        request,
        "referrals.html",
        user=await users.get(reader, visitor.user_id),
        people=[(_name(row.first_name, row.last_name), masked(row.email), row) for row in rows],
        following=following,
        is_first=cursor is None,
        counts=counts,
        bars=bars(counts),
        since=since,
        now=now,
        size=(WIDTH, HEIGHT),
        form_token=services.page_cookies.form_token(visitor),
    )


def bars(counts: Sequence[int]) -> Sequence[Bar]:
    """One for each day, the highest as high as the picture; a day with nobody is a line at its foot."""
    step, most = WIDTH // len(counts), max(*counts, 1)
    heights = (max(round(count * HEIGHT / most), 1) for count in counts)
    return [Bar(number * step, HEIGHT - height, step - GAP, height) for number, height in enumerate(heights)]


def _name(first_name: str | None, last_name: str | None) -> str | None:
    """As others may see it; None for one without a first or last name, which the page has words for."""
    return display_name(first_name, last_name) if first_name or last_name else None
