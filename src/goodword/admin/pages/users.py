"""/admin/users: finding people, looking at one, shutting them out, forgetting them."""

import uuid
from collections.abc import Mapping
from contextlib import suppress

from fastapi import Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.admin import referral_tree, search, service
from goodword.admin.pages.access import Administrator, admin_page, router as admin_router, searched
from goodword.admin.schemas import ReferralReject
from goodword.codes import service as codes
from goodword.errors import AppError
from goodword.languages import to_translate
from goodword.providers import email_checks
from goodword.referrals.service import UserNotFound
from goodword.services import services_of
from goodword.sessions import service as sessions
from goodword.sessions.cookies import Visitor
from goodword.users import addresses, homoglyphs
from goodword.users.models import User, UserStatus
from goodword.web.dependencies import Clock, Session
from goodword.web.forms import read_form
from goodword.web.html import messages
from goodword.web.html.rendering import link, see_other, translate_for

router = admin_router()

AT_ONCE = 25
SHOWN = 100
ONE = "/users/{user_id:uuid}"
NOT_THEIRS = to_translate("This is not the address of this person.")
DONE = {
    "disabled": to_translate("This person is signed out everywhere, and stays out."),
    "enabled": to_translate("This person may sign in again."),
    "erased": to_translate("This person is forgotten."),
    "revoked": to_translate("This code works no more."),
    "rejected": to_translate("That they were brought counts no longer."),
}


@router.get("/users")
async def show_users(request: Request, visitor: Administrator, session: Session) -> Response:
    """Accounts, newest first; by address, by id, by a part of an address or a name, by state. The audit notes it."""
    (text, wrong), cursors = searched(request), services_of(request).cursors
    asked, cursor = request.query_params.get("status", ""), request.query_params.get("cursor")
    status = UserStatus(asked) if asked in set(UserStatus) else None
    name = f"pages of users {status} {text!r}"
    found: search.Page[User] = search.Page([])
    if not wrong:
        after = cursors.read(cursor, of=name)
        found = await search.people(session, part=text or None, status=status, after=after, limit=AT_ONCE)
        service.note_search(session, found=len(found.rows))
    return await admin_page(
        request,
        session,
        visitor,
        "admin_users.html",
        found=found,
        following=cursors.write(found.following, of=name) if found.following else None,
        is_first=cursor is None,
        text=text,
        wrong={"q": wrong} if wrong else {},
        chosen=status or "",
        stretch=search.STRETCH,
    )


@router.get(ONE)
async def show_user(
    user_id: uuid.UUID, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """An account, how it came, its codes and sessions. The audit notes the look."""
    return await _look(request, session, visitor, clock, user_id)


@router.post(f"{ONE}/disable")
async def disable(
    user_id: uuid.UUID, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Shut somebody out. Sent again, they are out already."""
    try:
        async with session.begin_nested():
            await service.disable(session, user_id, by=visitor.user_id, now=clock())
    except (service.NotYourself, service.UserErased) as error:
        return await _look(request, session, visitor, clock, user_id, error=error)
    return _done(request, user_id, "disabled")


@router.post(f"{ONE}/enable")
async def enable(
    user_id: uuid.UUID, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    try:
        async with session.begin_nested():
            await service.enable(session, user_id)
    except service.UserErased as error:
        return await _look(request, session, visitor, clock, user_id, error=error)
    return _done(request, user_id, "enabled")


@router.get(f"{ONE}/erase")
async def ask_to_erase(
    user_id: uuid.UUID, request: Request, visitor: Administrator, session: Session
) -> Response:
    """What it means, and the field to type their address into: nobody is erased by a slip of the finger."""
    return await _ask(request, session, visitor, user_id)


@router.post(f"{ONE}/erase")
async def erase(user_id: uuid.UUID, request: Request, visitor: Administrator, session: Session) -> Response:
    """Forget somebody for ever, once their address is typed. Sent again, there is nothing left to forget."""
    typed = (await read_form(request)).get("email", "").strip()
    # Not by `session`, which would not read it anew when it is locked; and this connection is given back.
    async with services_of(request).database.readers() as reader:
        person = await service.get(reader, user_id)
    if person.status == UserStatus.ERASED:
        return _done(request, user_id, "erased")
    if addresses.key_of(typed) != person.email_key:
        return await _ask(request, session, visitor, user_id, wrong=NOT_THEIRS)
    try:
        with suppress(service.UserErased):  # by somebody else, a moment ago
            async with session.begin_nested():
                await service.erase(session, services_of(request), user_id, by=visitor.user_id)
    except service.NotYourself as error:
        return await _ask(request, session, visitor, user_id, error=error)
    return _done(request, user_id, "erased")


@router.post(f"{ONE}/reject")
async def reject(
    user_id: uuid.UUID, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Let it count no longer that somebody brought them. Sent again, it counts no longer already."""
    given = (await read_form(request)).get("reason", "")
    # As above: `session` reads it when it is locked.
    async with services_of(request).database.readers() as reader:
        referral = await service.referral_of(reader, user_id)
    if referral is None:
        raise service.ReferralNotFound
    try:
        body = ReferralReject(**({"reason": given} if given else {}))
    except ValidationError as error:
        texts = messages.field_errors(error, ("reason",)).items()
        wrong = {name: translate_for(request, text) for name, text in texts}
        return await _look(request, session, visitor, clock, user_id, wrong=wrong, given=given)
    with suppress(service.ReferralRejected):
        async with session.begin_nested():
            await service.reject_referral(session, referral.id, reason=body.reason)
    return _done(request, user_id, "rejected")


async def _look(
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
    # First what takes a connection for a moment: who waited for it with one in hand could wait for ever.
    services = services_of(request)
    around, now = await referral_tree.load(services.database, user_id, depth=0), clock()
    person, referral = await service.get(session, user_id), await service.referral_of(session, user_id)
    service.note_look(session, user_id)
    email, settings = person.email, services.settings
    alike = await homoglyphs.find_confusable(session, email) if email else None
    theirs = await codes.list_codes(
        session, user_id, status=None, after=None, limit=SHOWN, now=now, erased=True
    )
    return await admin_page(
        request,
        session,
        visitor,
        "admin_user.html",
        done=DONE,
        error=error,
        person=person,
        check=(await email_checks.known_of(session, settings, email)).verdict if email else None,
        alike=await service.get(session, alike) if alike else None,
        referral=referral,
        wrong=wrong or {},
        given=given,
        referrer=next((row for row in around if row.level < 0), None),
        brought=next((row.referrals for row in around if row.level == 0), 0),
        sessions=await sessions.list_active(session, user_id, now=now),
        codes=[(code, code.status(now)) for code in theirs[:SHOWN]],
        itself=visitor.user_id == user_id,
        here=link(request, f"/admin/users/{user_id}"),
    )


async def _ask(
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
    service.note_look(session, user_id)
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


def _done(request: Request, user_id: uuid.UUID, what: str) -> Response:
    return see_other(f"{link(request, f'/admin/users/{user_id}')}?done={what}")
