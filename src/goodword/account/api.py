"""/me: one's own account."""

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.account import service
from goodword.account.schemas import AccountDelete, AccountRead, ProfileUpdate
from goodword.codes import service as codes
from goodword.db import Reader, Session
from goodword.docs.openapi import problems
from goodword.http import Clock, JsonRoute
from goodword.providers import profiles
from goodword.providers.schemas import ProfileRead
from goodword.referrals import service as referrals
from goodword.sessions.current import Account, Caller, Profile
from goodword.users import service as users
from goodword.users.models import User
from goodword.users.passwords import HashingBusy

router = APIRouter(prefix="/api/v1/me", tags=["Your account"], route_class=JsonRoute)


async def read(session: AsyncSession, user: User, caller: Caller) -> AccountRead:
    """An account as its owner sees it; an app that acts for them sees no profile."""
    shown = user.verified_at is not None and "account" in caller.scopes
    found = await profiles.of(session, user.id) if shown else None
    return AccountRead(
        id=user.id,
        email=user.email or "",
        email_verified=user.verified_at is not None,
        first_name=user.first_name,
        last_name=user.last_name,
        created_at=user.created_at,
        referred_by=await referrals.referred_by(session, user.id),
        profile=ProfileRead.of(found) if found else None,
    )


@router.get("", summary="Look at your account")
async def read_me(caller: Profile, reader: Reader) -> AccountRead:
    """Who you are here, and who brought you."""
    return await read(reader, await users.get(reader, caller.user_id), caller)


@router.patch("", summary="Change your name")
async def update_me(body: ProfileUpdate, caller: Account, session: Session) -> AccountRead:
    """Change your first or last name. A field that you leave out stays as it is; null takes it away."""
    user = await users.lock(session, caller.user_id)
    for field in body.model_fields_set:
        setattr(user, field, getattr(body, field))
    await session.flush()
    await codes.owner_changed(session, user)
    return await read(session, user, caller)


@router.delete(
    "", summary="Delete your account", status_code=204, responses=problems(service.WrongPassword, HashingBusy)
)
async def delete_me(
    body: AccountDelete, request: Request, caller: Account, session: Session, clock: Clock
) -> None:
    """Erase your account, at once and for ever. Your codes stop working; who came by them stays.

    You are signed out everywhere, and your address is free for a new account.
    """
    state = request.app.state
    known = await service.confirm_password(state.database, state.passwords, caller.user_id, body.password)
    user = await service.locked(session, caller.user_id, password_hash=known)
    await service.erase(session, user, now=clock())
