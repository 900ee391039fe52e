"""/rewards: what a person earned."""

import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from goodword.languages import to_translate
from goodword.money import decimal_of
from goodword.rewards import listing
from goodword.rewards.models import RewardKind, RewardStatus
from goodword.rewards.schemas import RewardRead
from goodword.services import services_of
from goodword.sessions.cookies import Visitor
from goodword.sessions.page_access import signed_in
from goodword.users import service as users
from goodword.web import csv_output
from goodword.web.dependencies import Clock, Reader
from goodword.web.html.rendering import page, translate_for
from goodword.web.paging import place

router = APIRouter(include_in_schema=False)

PageVisitor = Annotated[Visitor, signed_in("/rewards")]

PAGE_SIZE = 20
FILE_PART = 500
"""Rewards that are read at once for a file."""
KINDS = {
    RewardKind.CREDIT: to_translate("Credit"),
    RewardKind.POINTS: to_translate("Points"),
    RewardKind.COUPON: to_translate("Coupon"),
    RewardKind.CUSTOM: to_translate("Reward"),
}
STATUSES = {
    RewardStatus.PENDING: to_translate("pending"),
    RewardStatus.APPROVED: to_translate("available"),
    RewardStatus.FULFILLED: to_translate("paid"),
    RewardStatus.CANCELED: to_translate("canceled"),
    RewardStatus.REVERSED: to_translate("taken back"),
}
GIVEN = to_translate("received")
"""The status of a fulfilled reward that is no money."""
HEAD = (
    to_translate("Earned"),
    to_translate("Reward"),
    to_translate("Amount"),
    to_translate("Left"),
    to_translate("Currency"),
    to_translate("Status"),
    to_translate("Available from"),
    to_translate("Coupon"),
)


@router.get("/rewards")
async def show_rewards(request: Request, visitor: PageVisitor, reader: Reader, clock: Clock) -> Response:
    """Show the balances and the rewards, newest first."""
    services, cursor = services_of(request), request.query_params.get("cursor")
    filters = listing.Filters(user_id=visitor.user_id)
    name = f"rewards on pages {filters}"
    found = await listing.list_rewards(
        reader, filters, after=services.cursors.read(cursor, of=name), limit=PAGE_SIZE
    )
    rows, following = services.cursors.cut(found, PAGE_SIZE, of=name)
    return page(
        request,
        "rewards.html",
        user=await users.get(reader, visitor.user_id),
        balances=await listing.balances(reader, visitor.user_id) if cursor is None else [],
        rewards=[(_title(request, one), _status(request, one), one) for one in map(_read, rows)],
        following=following,
        is_first=cursor is None,
        now=clock(),
        kinds={kind: translate_for(request, text) for kind, text in KINDS.items()},
        form_token=services.page_cookies.form_token(visitor),
    )


@router.get("/rewards.csv")
async def send_rewards(request: Request, visitor: PageVisitor, clock: Clock) -> Response:
    """Return all rewards as a CSV file, newest first."""
    return csv_output.response("rewards", _file(request, visitor.user_id), now=clock())


async def _file(request: Request, user_id: uuid.UUID) -> AsyncIterator[Sequence[Sequence[object]]]:
    yield [[translate_for(request, text) for text in HEAD]]
    filters, after = listing.Filters(user_id=user_id), None
    while True:
        async with services_of(request).database.readers() as reader:
            found = await listing.list_rewards(reader, filters, after=after, limit=FILE_PART)
        rows = found[:FILE_PART]
        yield [_cells(request, _read(row)) for row in rows]
        if len(found) <= FILE_PART:
            break
        after = place(rows[-1])


def _read(row: Any) -> RewardRead:
    return listing.read_for_beneficiary(row)


def _cells(request: Request, reward: RewardRead) -> Sequence[object]:
    def amount(minor: int) -> object:
        return minor if reward.currency is None else decimal_of(minor, reward.currency)

    available_at: datetime | None = reward.available_at
    return (
        reward.created_at,
        _title(request, reward),
        amount(reward.amount_minor),
        amount(reward.remaining_minor),
        reward.currency or translate_for(request, KINDS[RewardKind.POINTS]),
        _status(request, reward),
        available_at,
        reward.coupon,
    )


def _title(request: Request, reward: RewardRead) -> str:
    return reward.description or translate_for(request, KINDS[reward.kind])


def _status(request: Request, reward: RewardRead) -> str:
    is_given = reward.status == RewardStatus.FULFILLED and reward.kind != RewardKind.CREDIT
    return translate_for(request, GIVEN if is_given else STATUSES[reward.status])
