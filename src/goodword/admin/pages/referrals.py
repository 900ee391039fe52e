"""/admin/referrals: who joined through whom."""

from functools import partial

from fastapi import Request, Response

from goodword.admin import tables
from goodword.admin.pages import lists
from goodword.admin.pages.access import Administrator, router as admin_router
from goodword.referrals.models import ReferralStatus
from goodword.services import services_of
from goodword.web.dependencies import Clock, Session

router = admin_router()


@router.get("/referrals")
@router.get("/referrals.csv")
async def show_referrals(
    request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Show referrals by user, code and status. The audit log records the search."""
    programs = await services_of(request).programs.all()
    table = tables.with_program(tables.REFERRALS, programs)
    asked = lists.read(request, "/admin/referrals", table, choices=set(ReferralStatus))
    find = partial(tables.find_referrals, text=asked.text, status=asked.choice)
    if lists.is_file(request):
        return await lists.send_file(request, asked, find, now=clock())
    return await lists.show(
        request,
        session,
        visitor,
        "admin_referrals.html",
        asked,
        find,
        records_search=True,
        programs=programs,
    )
