"""/admin/users: search, view, disable, enable and erase users."""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from fastapi import Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.admin import flags, referral_tree, service, tables
from goodword.admin.pages import lists
from goodword.admin.pages.access import Administrator, admin_page, read_id, router as admin_router
from goodword.attribution import explanation
from goodword.attribution.reasons import Reason
from goodword.codes import service as codes
from goodword.errors import AppError
from goodword.languages import to_translate
from goodword.providers import email_checks
from goodword.referrals import service as referrals
from goodword.referrals.service import UserNotFound
from goodword.risk import review
from goodword.risk.schemas import ReferralReject
from goodword.services import services_of
from goodword.sessions import active, service as sessions
from goodword.sessions.cookies import Visitor
from goodword.users import addresses, homoglyphs
from goodword.users.models import UserStatus
from goodword.web.dependencies import Clock, Session
from goodword.web.forms import read_form
from goodword.web.html import messages
from goodword.web.html.rendering import link, see_other, translate_for

router = admin_router()

MAX_SESSIONS = 25
MAX_CODES = 100
USER_PATH = "/users/{user_id:uuid}"
WRONG_EMAIL = to_translate("This is not the user’s address.")
WRONG_ID = to_translate("This is not the user’s external id.")
DONE = {
    "disabled": to_translate("The user is disabled and signed out everywhere."),
    "enabled": to_translate("The user can sign in again."),
    "erased": to_translate("The user has been erased."),
    "revoked": to_translate("The code has been retired."),
    "rejected": to_translate("Referral rejected."),
    "session": to_translate("The session has been revoked."),
}
REASONS = {
    Reason.CODE_UNKNOWN: to_translate("There is no such code."),
    Reason.CODE_EXPIRED: to_translate("The code had expired."),
    Reason.CODE_RETIRED: to_translate("The code had been deleted, replaced or revoked."),
    Reason.CODE_USED_UP: to_translate("The code was used up."),
    Reason.PROGRAM_NOT_ACTIVE: to_translate("The program was not active."),
    Reason.REFERRER_NOT_ACTIVE: to_translate("The account of the referrer was disabled."),
    Reason.SELF_REFERRAL: to_translate("It was the user’s own code."),
    Reason.ALREADY_REFERRED: to_translate("The user had a referrer already."),
    Reason.REFERRAL_CYCLE: to_translate(
        "The user had referred the owner of the code, directly or through others."
    ),
    Reason.ALREADY_REGISTERED: to_translate("The user had signed up too long before."),
}


@router.get("/users")
@router.get("/users.csv")
async def show_users(request: Request, visitor: Administrator, session: Session, clock: Clock) -> Response:
    """Show users by address, id, part of an address or name, and status. The audit log records the search."""
    asked = lists.read(request, "/admin/users", tables.USERS, choices=set(UserStatus))
    find = partial(tables.find_users, text=asked.text, status=asked.choice)
    if lists.is_file(request):
        return await lists.send_file(request, asked, find, now=clock())
    return await lists.show(request, session, visitor, "admin_users.html", asked, find, records_search=True)


@router.get(USER_PATH)
async def show_user(
    user_id: uuid.UUID, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Show a user with referrer, codes and sessions. The audit log records the view."""
    return await _user_page(request, session, visitor, clock, user_id)


@router.post(f"{USER_PATH}/disable")
async def disable(
    user_id: uuid.UUID, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Disable a user. Repeating the request changes nothing."""
    try:
        await service.disable(session, user_id, by=visitor.user_id, now=clock())
    except (service.NotYourself, service.UserErased) as error:
        return await _user_page(request, session, visitor, clock, user_id, error=error)
    return _redirect(request, user_id, "disabled")


@router.post(f"{USER_PATH}/enable")
async def enable(
    user_id: uuid.UUID, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    try:
        await service.enable(session, user_id)
    except service.UserErased as error:
        return await _user_page(request, session, visitor, clock, user_id, error=error)
    return _redirect(request, user_id, "enabled")


@router.get(f"{USER_PATH}/erase")
async def show_erase(
    user_id: uuid.UUID, request: Request, visitor: Administrator, session: Session
) -> Response:
    """Show the confirmation form, which asks for the e-mail address of the user."""
    return await _erase_page(request, session, visitor, user_id)


@router.post(f"{USER_PATH}/erase")
async def erase(user_id: uuid.UUID, request: Request, visitor: Administrator, session: Session) -> Response:
    """Erase a user if the typed address, or the external id if there is none, is theirs. Repeating the request changes nothing."""
    typed = (await read_form(request)).get("email", "").strip()
    # Not with `session`, which would keep this state instead of the locked row. This connection is released.
    async with services_of(request).database.readers() as reader:
        person = await service.get(reader, user_id)
    if person.status == UserStatus.ERASED:
        return _redirect(request, user_id, "erased")
    if person.email_key is None:
        wrong = WRONG_ID if typed != person.external_id else None
    else:
        wrong = WRONG_EMAIL if addresses.key_of(typed) != person.email_key else None
    if wrong:
        return await _erase_page(request, session, visitor, user_id, wrong=wrong)
    try:
        with suppress(service.UserErased):  # by a concurrent request
            await service.erase(session, services_of(request), user_id, by=visitor.user_id)
    except service.NotYourself as error:
        return await _erase_page(request, session, visitor, user_id, error=error)
    return _redirect(request, user_id, "erased")


@router.post(f"{USER_PATH}/sessions/revoke")
async def revoke_session(user_id: uuid.UUID, request: Request, session: Session, clock: Clock) -> Response:
    """Revoke a session of a user. Repeating the request changes nothing."""
    session_id = read_id((await read_form(request)).get("session", ""))
    await service.get(session, user_id)
    if session_id is not None:
        with suppress(sessions.SessionNotFound):
            await sessions.revoke(session, user_id, session_id, now=clock(), why="administrator")
    return _redirect(request, user_id, "session")


@router.post(f"{USER_PATH}/reject")
async def reject(
    user_id: uuid.UUID, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Reject the referral of a user. Repeating the request changes nothing."""
    given = (await read_form(request)).get("reason", "")
    # Not with `session`, as above.
    async with services_of(request).database.readers() as reader:
        referral = await service.find_referral(reader, user_id)
    if referral is None:
        raise referrals.ReferralNotFound
    try:
        body = ReferralReject(**({"reason": given} if given else {}))
    except ValidationError as error:
        texts = messages.field_errors(error, ("reason",)).items()
        wrong = {name: translate_for(request, text) for name, text in texts}
        return await _user_page(request, session, visitor, clock, user_id, wrong=wrong, given=given)
    with suppress(referrals.ReferralRejected):
        await review.reject(session, services_of(request), referral.id, reason=body.reason, now=clock())
    return _redirect(request, user_id, "rejected")


async def _user_page(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    clock: Clock,
    user_id: uuid.UUID,
    *,
    error: AppError | None = None,
    wrong: Mapping[str, str] | None = None,
    given: str = "",
) -> Response:
    # Before `session` holds a connection: waiting for a second one while holding the first can deadlock the pool.
    services = services_of(request)
    around, now = await referral_tree.load(services.database, user_id, depth=0), clock()
    person, referral = await service.get(session, user_id), await service.find_referral(session, user_id)
    service.record_view(session, user_id)
    email = person.email
    alike = await homoglyphs.find_confusable(session, email) if email else None
    theirs = await codes.list_codes(
        session, user_id, status=None, after=None, limit=MAX_CODES, now=now, for_administrator=True
    )
    return await admin_page(
        request,
        session,
        visitor,
        "admin_user.html",
        done=DONE,
        error=error,
        person=person,
        check=(await email_checks.known_of(session, services, email)).verdict if email else None,
        alike=await service.get(session, alike) if alike else None,
        referral=referral,
        flags=(await flags.find(session, services.settings, [user_id])).get(user_id, ()),
        attributions=await explanation.attributions(session, user_id),
        refusals=[
            (one, translate_for(request, REASONS[one.reason]))
            for one in await explanation.refusals(session, user_id)
        ],
        wrong=wrong or {},
        given=given,
        referrer=next((row for row in around if row.level < 0), None),
        referred=next((row.referrals for row in around if row.level == 0), 0),
        sessions=(await active.list_active(session, user_id, now=now, limit=MAX_SESSIONS))[:MAX_SESSIONS],
        active_sessions=await active.count(session, user_id, now=now),
        codes=[(code, code.status(now)) for code in theirs[:MAX_CODES]],
        itself=visitor.user_id == user_id,
        here=link(request, f"/admin/users/{user_id}"),
    )


async def _erase_page(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    user_id: uuid.UUID,
    *,
    wrong: str | None = None,
    error: AppError | None = None,
) -> Response:
    person = await service.get(session, user_id)
    if person.status == UserStatus.ERASED:
        raise UserNotFound
    service.record_view(session, user_id)
    return await admin_page(
        request,
        session,
        visitor,
        "admin_erase.html",
        error=error,
        person=person,
        wrong={"email": translate_for(request, wrong)} if wrong else {},
        here=link(request, f"/admin/users/{user_id}/erase"),
    )


def _redirect(request: Request, user_id: uuid.UUID, what: str) -> Response:
    return see_other(f"{link(request, f'/admin/users/{user_id}')}?done={what}")
