"""/admin/reviews: referrals that are held, with what speaks for and against them."""

from contextlib import suppress

from fastapi import Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.admin import review_evidence
from goodword.admin.pages.access import Administrator, admin_page, read_id, router as admin_router
from goodword.languages import to_translate
from goodword.providers import email_checks
from goodword.referrals.service import ReferralNotFound, ReferralRejected
from goodword.risk import review, words
from goodword.risk.models import SignalKind
from goodword.risk.review import Reviewed
from goodword.risk.schemas import ReferralReject
from goodword.services import services_of
from goodword.web.dependencies import Clock, Session
from goodword.web.forms import read_form
from goodword.web.html.rendering import link, see_other, translate_for

router = admin_router()

PAGE_SIZE = 20
DONE = {
    "accepted": to_translate("The referral was accepted."),
    "rejected": to_translate("The referral was rejected."),
    "reason": to_translate("Nothing was changed: give a reason of up to 100 characters."),
}


@router.get("/reviews")
async def show_reviews(request: Request, visitor: Administrator, session: Session) -> Response:
    """Show held referrals, the oldest first."""
    cursors, cursor = services_of(request).cursors, request.query_params.get("cursor")
    after = cursors.read(cursor, of="reviews")
    found = await review.list_held(session, within=None, after=after, limit=PAGE_SIZE)
    rows, following = cursors.cut(found, PAGE_SIZE, of="reviews")
    counts = await review.count_by_status(session, {row.referrer.id for row in rows})
    evidence = await review_evidence.collect(session, rows)
    return await admin_page(
        request,
        session,
        visitor,
        "admin_reviews.html",
        done=DONE,
        held=[
            (
                row,
                await _verdict(request, session, row),
                _texts(request, row),
                counts[row.referrer.id],
                evidence[row.id],
            )
            for row in rows
        ],
        following=following,
    )


@router.post("/reviews/accept")
async def accept_in_review(request: Request, session: Session, clock: Clock) -> Response:
    """Accept a held referral. Repeating the request changes nothing."""
    referral_id = read_id((await read_form(request)).get("of", ""))
    if referral_id is None:
        raise ReferralNotFound
    await review.accept(session, services_of(request), referral_id, now=clock())
    return _redirect(request, "accepted")


@router.post("/reviews/reject")
async def reject_in_review(request: Request, session: Session, clock: Clock) -> Response:
    """Reject a referral. Repeating the request changes nothing."""
    form = await read_form(request)
    referral_id = read_id(form.get("of", ""))
    if referral_id is None:
        raise ReferralNotFound
    try:
        body = ReferralReject(reason=form.get("reason", ""))
    except ValidationError:
        return _redirect(request, "reason")
    with suppress(ReferralRejected):
        await review.reject(session, services_of(request), referral_id, reason=body.reason, now=clock())
    return _redirect(request, "rejected")


async def _verdict(request: Request, session: AsyncSession, row: Reviewed) -> str | None:
    email = row.referee.email or row.referee.reported_email
    return (await email_checks.known_of(session, services_of(request), email)).verdict if email else None


def _texts(request: Request, row: Reviewed) -> list[tuple[str, str]]:
    """Return the level and the words of each signal."""
    return [
        (one.level, translate_for(request, words.TEXTS[SignalKind(one.kind)], number=one.number))
        for one in row.signals
    ]


def _redirect(request: Request, what: str) -> Response:
    return see_other(f"{link(request, '/admin/reviews')}?done={what}")
