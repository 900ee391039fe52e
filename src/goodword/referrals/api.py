"""API of referrals: lists and statistics."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic_core import to_json

from goodword.codes.schemas import PastedCode
from goodword.referrals import listing, service, statistics
from goodword.referrals.models import ReferralStatus
from goodword.referrals.schemas import (
    Bucket,
    CodeCount,
    Interval,
    Order,
    ReferralList,
    ReferralStats,
    StatusCounts,
)
from goodword.services import services_of
from goodword.sessions.auth import Caller, ReferralsReader, ReferralsViewer, is_administrator
from goodword.users import service as users
from goodword.web.dependencies import Clock, from_parameters
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems
from goodword.web.paging import Cursor, CursorInvalid, Limit
from goodword.web.schemas import Instant

router = APIRouter(prefix="/api/v1/users/{user_id}", tags=["Referrals"], route_class=JsonRoute)
own_router = APIRouter(prefix="/api/v1/me", tags=["Referrals"], route_class=JsonRoute)

ReferrerId = Annotated[uuid.UUID, Path(description="The referrer's id: `id` of `GET /api/v1/me`.")]


async def _check_access(request: Request, user_id: uuid.UUID, caller: Caller) -> None:
    # The same error for another user and for an unknown id, so that ids cannot be guessed.
    if user_id == caller.user_id:
        return
    if await is_administrator(request, caller) and await users.exists(services_of(request).database, user_id):
        return
    raise service.UserNotFound


@dataclass(slots=True)
class ListParameters:
    """The query parameters of a list of referrals."""

    status: Annotated[ReferralStatus | None, Query(description="Only referrals with this status.")] = None
    code: Annotated[
        PastedCode | None, Query(description="Only referrals with this code, also a deleted one.")
    ] = None
    start: Annotated[Instant | None, Query(alias="from", description="Only referrals from this time on.")] = (
        None
    )
    end: Annotated[Instant | None, Query(alias="to", description="Only referrals before this time.")] = None
    sort: Annotated[Order, Query(description="By the time of registration.")] = Order.NEWEST
    limit: Limit = 50
    cursor: Cursor = None
    total: Annotated[bool, Query(description="With `true`, the answer has the `total`.")] = False


@dataclass(slots=True)
class StatsParameters:
    """The query parameters of statistics."""

    start: Annotated[
        Instant | None,
        Query(alias="from", description="Start; by default 30 days, 26 weeks or a year before the end."),
    ] = None
    end: Annotated[Instant | None, Query(alias="to", description="End; by default now.")] = None
    interval: Annotated[Interval, Query(description="The interval of the series, in UTC.")] = Interval.DAY


ListQuery = Annotated[ListParameters, Depends(from_parameters(ListParameters))]
StatsQuery = Annotated[StatsParameters, Depends(from_parameters(StatsParameters))]


@router.get(
    "/referrals",
    summary="List referrals",
    response_model=ReferralList,
    responses=problems(service.UserNotFound, listing.RangeInvalid, CursorInvalid),
)
async def list_referrals(
    user_id: ReferrerId,
    request: Request,
    caller: ReferralsReader,
    query: ListQuery,
) -> Response:
    """Return the friends who joined with your codes, with masked e-mail addresses.

    Only you and administrators can list them. For other callers the user does not exist.
    """
    await _check_access(request, user_id, caller)
    return await _list(request, user_id, query)


@own_router.get(
    "/referrals",
    summary="List your referrals",
    response_model=ReferralList,
    responses=problems(listing.RangeInvalid, CursorInvalid),
)
async def list_own_referrals(request: Request, caller: ReferralsViewer, query: ListQuery) -> Response:
    """Return the same list as with your id."""
    return await _list(request, caller.user_id, query)


async def _list(request: Request, user_id: uuid.UUID, query: ListParameters) -> Response:
    services = services_of(request)
    filters = listing.Filters(query.status, query.code, start=query.start, end=query.end)
    name = f"referrals {user_id} {sorted(filters.values().items())} {query.sort}"
    found = await listing.list_referrals(
        services.database,
        user_id,
        filters=filters,
        order=query.sort,
        after=services.cursors.read(query.cursor, of=name),
        limit=query.limit,
    )
    rows: Sequence[Any]
    rows, following = services.cursors.cut(found, query.limit, of=name)
    # Serialised without models: a model for each row would take longer than the query.
    items = [listing.shown(row) for row in rows]
    answer: dict[str, object] = {"items": items, "next_cursor": following}
    if query.total:
        answer["total"] = await listing.count_referrals(services.database, user_id, filters=filters)
    return Response(to_json(answer), media_type="application/json")


@router.get(
    "/referral-stats",
    summary="Count referrals",
    responses=problems(service.UserNotFound, listing.RangeInvalid),
)
async def get_referral_stats(
    user_id: ReferrerId,
    request: Request,
    caller: ReferralsReader,
    clock: Clock,
    query: StatsQuery,
) -> ReferralStats:
    """Count the friends who joined with your codes: by status, by code, and over time."""
    await _check_access(request, user_id, caller)
    return await _count(request, user_id, query, now=clock())


@own_router.get("/referral-stats", summary="Count your referrals", responses=problems(listing.RangeInvalid))
async def get_own_referral_stats(
    request: Request, caller: ReferralsViewer, clock: Clock, query: StatsQuery
) -> ReferralStats:
    """Return the same counts as with your id."""
    return await _count(request, caller.user_id, query, now=clock())


async def _count(
    request: Request, user_id: uuid.UUID, query: StatsParameters, *, now: datetime
) -> ReferralStats:
    start, end = statistics.resolve_range(query.start, query.end, query.interval, now=now)
    found = await statistics.count(
        services_of(request).database, user_id, start=start, end=end, interval=query.interval
    )
    return ReferralStats(
        from_=start,
        to=end,
        interval=query.interval,
        total=sum(found.by_status.values()),
        by_status=StatusCounts(**found.by_status),
        by_code=[CodeCount(code=code, referrals=count) for code, count in found.by_code],
        series=[Bucket(start=day, referrals=count) for day, count in found.series],
    )
