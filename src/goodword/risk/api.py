"""API of the review of referrals, for the servers of a product and for administrators."""

import uuid
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.api_keys.auth import ReferralsReviewer
from goodword.referrals.service import ReferralNotFound, ReferralRejected
from goodword.risk import review
from goodword.risk.schemas import ReferralReject, ReviewedReferral, ReviewList, ReviewStatus
from goodword.services import services_of
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.idempotency import Answer, IdempotentWriteDependency, KeyInUse, KeyReused
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems
from goodword.web.paging import Cursor, CursorInvalid, Limit
from goodword.web.schemas import Input

router = APIRouter(prefix="/api/v1/referrals", tags=["Review"], route_class=JsonRoute)

ReferralId = Annotated[uuid.UUID, Path(description="The referral's id.")]


@router.get("", summary="List held referrals", responses=problems(CursorInvalid))
async def list_held_referrals(
    request: Request,
    caller: ReferralsReviewer,
    reader: Reader,
    status: Annotated[ReviewStatus, Query(description="Only `held`.")] = ReviewStatus.HELD,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ReviewList:
    """Return the referrals that wait for a review, the oldest first, with the signals that speak against them.

    A key that is limited to a program sees the referrals of this one alone.
    """
    cursors, name = services_of(request).cursors, f"review {caller.program_id} {status}"
    found = await review.list_held(
        reader, within=caller.program_id, after=cursors.read(cursor, of=name), limit=limit
    )
    rows, following = cursors.cut(found, limit, of=name)
    return ReviewList(items=[ReviewedReferral.of(row) for row in rows], next_cursor=following)


@router.post(
    "/{referral_id}/accept",
    summary="Accept a held referral",
    response_model=ReviewedReferral,
    responses=problems(ReferralNotFound, ReferralRejected, KeyReused, KeyInUse),
)
async def accept_held_referral(
    referral_id: ReferralId,
    request: Request,
    caller: ReferralsReviewer,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Release a held referral, with its original time. One that is not held stays as it is.

    It is confirmed, or pending until the referee verifies the e-mail address.
    """
    services = services_of(request)

    async def effect(_: None) -> Answer:
        await review.accept(session, services, referral_id, within=caller.program_id, now=clock())
        return await _answer(session, referral_id)

    return await once.run(session, Input(), caller=caller.caller, effect=effect)


@router.post(
    "/{referral_id}/reject",
    summary="Reject a referral in a review",
    response_model=ReviewedReferral,
    responses=problems(ReferralNotFound, KeyReused, KeyInUse),
)
async def reject_held_referral(
    referral_id: ReferralId,
    body: ReferralReject,
    request: Request,
    caller: ReferralsReviewer,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Reject a referral, so that it and its rewards no longer count. One that is rejected keeps its first reason."""
    services = services_of(request)

    async def effect(_: None) -> Answer:
        with suppress(ReferralRejected):
            await review.reject(
                session, services, referral_id, reason=body.reason, within=caller.program_id, now=clock()
            )
        return await _answer(session, referral_id)

    return await once.run(session, body, caller=caller.caller, effect=effect)


async def _answer(session: AsyncSession, referral_id: uuid.UUID) -> Answer:
    found = await review.get(session, referral_id)
    return Answer(ReviewedReferral.of(found), status=200, user_id=found.referee.id)
