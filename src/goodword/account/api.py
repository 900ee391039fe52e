"""API of a user's own account."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.account import service
from goodword.account.schemas import AccountDelete, AccountRead, ProfileUpdate
from goodword.privacy import erasure, export
from goodword.providers.enrichment import find_profile
from goodword.providers.schemas import ProfileRead
from goodword.referrals import service as referrals
from goodword.services import services_of
from goodword.sessions.auth import Account, Caller, Profile
from goodword.sessions.throttle import TooManyAttempts
from goodword.users import service as users
from goodword.users.models import User
from goodword.users.passwords import HashingBusy
from goodword.web.client_address import client_network
from goodword.web.dependencies import Reader, Session
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import free_object, problems

router = APIRouter(prefix="/api/v1/me", tags=["Your account"], route_class=JsonRoute)


EXPORT = {
    "exported_at": "2026-11-01T12:00:00Z",
    "account": {"email": "alice@example.com", "first_name": "Alice", "created_at": "2026-10-01T18:00:00Z"},
    "sessions": [{"device": "Firefox on Linux", "created_at": "2026-11-01T11:58:00Z"}],
    "codes": [{"code": "7KQ2M9XWPA", "uses": 3}],
    "referrals": [{"referee": {"display_name": "Bob B.", "email_masked": "b***@example.com"}}],
}
"""An excerpt, for the documentation."""


async def read(session: AsyncSession, user: User, caller: Caller) -> AccountRead:
    """Return the account for the caller. An app does not see the profile."""
    shown = user.verified_at is not None and "account" in caller.scopes
    profile = await find_profile(session, user.id) if shown else None
    return AccountRead(
        id=user.id,
        email=user.email or "",
        email_verified=user.email_verified,
        first_name=user.first_name,
        last_name=user.last_name,
        created_at=user.created_at,
        referred_by=await referrals.referred_by(session, user.id),
        profile=ProfileRead.model_validate(profile) if profile else None,
    )


@router.get("", summary="Look at your account")
async def get_me(caller: Profile, reader: Reader) -> AccountRead:
    """Return your account, and the name of your referrer."""
    return await read(reader, await users.get(reader, caller.user_id), caller)


@router.get(
    "/export",
    summary="Download what is held about you",
    response_class=Response,
    responses=free_object("AccountExport", "A JSON document. Fields may be added.", EXPORT),
)
async def export_me(caller: Account, request: Request, session: Session) -> StreamingResponse:
    """Return all data about you. Your referrals contain what their list shows."""
    await export.begin(session, caller.user_id)
    document = export.document(services_of(request), caller.user_id)
    return StreamingResponse(
        document, media_type="application/json", headers=export.headers(services_of(request).settings)
    )


@router.patch("", summary="Change your name")
async def update_me(body: ProfileUpdate, caller: Account, session: Session) -> AccountRead:
    """Change your first or last name. An omitted field stays as it is; null removes the name."""
    given = {field: getattr(body, field) for field in body.model_fields_set}
    user = await service.update_profile(session, caller.user_id, given)
    return await read(session, user, caller)


@router.delete(
    "",
    summary="Delete your account",
    status_code=204,
    responses=problems(
        service.WrongPassword,
        service.ReauthenticationRequired,
        service.PasswordMissing,
        TooManyAttempts,
        HashingBusy,
    ),
)
async def delete_me(body: AccountDelete, request: Request, caller: Account, session: Session) -> None:
    """Erase your account immediately and permanently. Your codes stop working; your referrals keep their accounts.

    All your sessions end. Your address can be used for a new account.
    """
    services, user_id, network = services_of(request), caller.user_id, client_network(request)
    user = await service.lock_confirmed(
        session, services, user_id, body.password, session_id=caller.session_id, network=network
    )
    await erasure.erase(session, services, user)
