"""Rules of sessions: sign-in, refresh and sign-out."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword import actor
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record, record_change
from goodword.cache.lookup_cache import HERE
from goodword.db.base import insert_statement
from goodword.db.database import Database, persistent
from goodword.db.statements import with_defaults
from goodword.db.transaction_hooks import commit_before_error, invalidate
from goodword.errors import NotFound, TokenInvalid, Unauthorized
from goodword.mail import notifications
from goodword.mail.messages import MessageKind
from goodword.services import Services
from goodword.sessions import seen_clients
from goodword.sessions.models import UserSession, live
from goodword.sessions.seen_clients import ClientHashes
from goodword.sessions.tokens import ABSOLUTE, CLIENT, GRACE, IDLE, RefreshTokens
from goodword.users import addresses, service as users
from goodword.users.models import PasswordCost, User, UserStatus
from goodword.users.passwords import same_password

OWN_SCOPE = "profile email codes:read codes:write referrals:read account"
"""The scope of our own sign-in. No app gets `account` (password, sessions, erasure)."""


class InvalidCredentials(Unauthorized):
    code, detail = "invalid_credentials", "The e-mail address or the password is wrong."


class SessionNotFound(NotFound):
    code, detail = "session_not_found", "You have no session with this id."


class RefreshRefused(Exception):
    """The refresh token is invalid (`invalid_grant` of RFC 6749 §5.2)."""


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """Coarse information about the client of a session, for its owner to recognise."""

    device: str | None = None
    place: str | None = None


async def authenticate(
    session: AsyncSession, services: Services, *, email: str, password: str, network: str | None
) -> User:
    """Return the user with this address and password, locked. Raises `InvalidCredentials` and `TooManyAttempts`.

    An unknown address, a disabled account and a wrong password take the same time and get the same response. No
    connection is held while the password is verified.
    """
    database, throttle, clock = services.database, services.login_throttle, services.clock
    attempt = throttle.attempt(email, network)
    async with throttle.claimed(services, attempt) as claim:
        (row,) = await database.rows(_BY_EMAIL, email_key=addresses.key_of(email) or "")
        stored: str | None = row.password_hash
        costs = row.costs.split() if row.costs else ()
        valid, better = await services.passwords.verify(password, stored, costs=costs)
        if stored is None or not valid or row.status != UserStatus.ACTIVE:
            throttle.confirm(session, claim, now=clock())
            await commit_before_error(session)
            raise InvalidCredentials
        await throttle.take_back(session, claim)
    user = await session.scalar(users.LOCKED, {"user_id": row.id})
    if (
        user is None or not user.is_active or not same_password(user.password_hash, stored)
    ):  # changed meanwhile
        raise InvalidCredentials
    user.password_hash = better or user.password_hash
    return user


async def create(
    session: AsyncSession,
    user: User,
    *,
    client: str,
    scope: str,
    client_info: ClientInfo,
    now: datetime,
    lifetime: timedelta = ABSOLUTE,
) -> UserSession:
    """Create a session of `user`, who is locked and active."""
    values = {
        "user_id": user.id,
        "created_at": now,
        "rotated_at": now,
        "idle_expires_at": now + min(IDLE, lifetime),
        "expires_at": now + lifetime,
        "scope": scope,
        "client": client,
        "device": client_info.device,
        "place": client_info.place,
        "counter": 0,
    }
    row = with_defaults(UserSession, values)
    actor.mark_authenticated(user.id, client)
    await record_change(
        session,
        _CREATE,
        {f"new_{name}": value for name, value in row.items()},
        Action.SESSION_STARTED,
        Subject.SESSION,
        person=user.id,
        client=client,
    )
    return persistent(session, UserSession, row)


def own_scope(user: User) -> str:
    """Return the scope of our own sign-in for `user`."""
    return f"{OWN_SCOPE} admin" if user.is_admin else OWN_SCOPE


async def refresh(
    session: AsyncSession,
    tokens: RefreshTokens,
    token: str,
    *,
    now: datetime,
    client: str = CLIENT,
    grace: timedelta = GRACE,
    hashes: ClientHashes | None = None,
) -> UserSession:
    """Rotate the refresh token and return the session. Raises `RefreshRefused`, also for another client's token.

    The previous token gets the current one for ten seconds, since a response can be lost and two tabs can refresh
    at once. An older token was used by two parties, so the session ends (RFC 9700 §4.14.2). `hashes` are those of
    the client, if it is the user's own.
    """
    shown = tokens.read(token)
    found = await session.execute(
        select(UserSession, User.status)
        .join(User, User.id == UserSession.user_id)
        .where(UserSession.id == (shown.session_id if shown else None))
        .with_for_update(of=UserSession)
    )
    row = found.one_or_none()
    if shown is None or row is None or not row.UserSession.is_live(now) or row.status != UserStatus.ACTIVE:
        raise RefreshRefused
    sign_in: UserSession = row.UserSession
    if sign_in.client != client:
        raise RefreshRefused
    if shown.counter == sign_in.counter:
        if hashes is not None and seen_clients.is_first_of_day(sign_in.rotated_at, now):
            seen_clients.record(session, sign_in.user_id, hashes, now=now)
        sign_in.counter += 1
        sign_in.rotated_at = now
        sign_in.idle_expires_at = min(now + IDLE, sign_in.expires_at)
        await session.flush()
    # Without grace the times are not compared: `now` can be older than the wait for the lock.
    elif not grace or shown.counter != sign_in.counter - 1 or now >= sign_in.rotated_at + grace:
        sign_in.revoked_at, sign_in.revoked_reason = now, "refresh_token_replayed"
        invalidate(session, cache_key(sign_in.user_id))
        record(session, Action.SESSION_REPLAYED, Subject.SESSION, sign_in.id, person=sign_in.user_id)
        notifications.notify(session, sign_in.user_id, MessageKind.SESSION_REPLAYED, now=now)
        await commit_before_error(session)
        raise RefreshRefused
    return sign_in


async def find_active(database: Database, session_id: uuid.UUID, *, now: datetime) -> Row[Any] | None:
    """Return a session if it and its account are active, else None. Runs for every request with a token."""
    return await database.row(_LIVE, session_id=session_id, now=now)


async def started_at(database: Database, session_id: uuid.UUID) -> datetime:
    """Return the time of the sign-in. Raises `TokenInvalid` if there is no such session."""
    row = await database.row(_BEGAN, session_id=session_id)
    if row is None:
        raise TokenInvalid
    began: datetime = row.created_at
    return began


def cache_key(user_id: uuid.UUID) -> str:
    """Return the cache key that invalidates all sessions of a user."""
    return f"{HERE}sessions:{user_id}"


async def revoke(
    session: AsyncSession,
    user_id: uuid.UUID,
    session_id: uuid.UUID,
    *,
    why: str = "signed_out",
    now: datetime,
) -> None:
    """End a session of a user. Raises `SessionNotFound`, also for a session of another user."""
    ended = await session.scalar(
        update(UserSession)
        .where(UserSession.id == session_id, UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
        .values(revoked_at=now, revoked_reason=why)
        .returning(UserSession.id)
    )
    if ended is None:
        raise SessionNotFound
    invalidate(session, cache_key(user_id))
    record(session, Action.SESSION_ENDED, Subject.SESSION, session_id, person=user_id, why=why)


async def revoke_all(
    session: AsyncSession,
    user_id: uuid.UUID,
    *,
    why: str,
    now: datetime,
    but: uuid.UUID | None = None,
    client: str | None = None,
) -> None:
    """End all sessions of a user, all but one, or all with one client."""
    query = update(UserSession).where(UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
    if but is not None:
        query = query.where(UserSession.id != but)
    if client is not None:
        query = query.where(UserSession.client == client)
    await session.execute(query.values(revoked_at=now, revoked_reason=why))
    invalidate(session, cache_key(user_id))
    details: dict[str, Any] = {"client": client} if client is not None else {}
    record(session, Action.SESSIONS_ENDED, Subject.USER, user_id, why=why, **details)


async def revoke_one(session: AsyncSession, session_id: uuid.UUID, *, why: str, now: datetime) -> None:
    """End a session of any user, unless it has ended before."""
    user_id = await session.scalar(
        update(UserSession)
        .where(UserSession.id == session_id, UserSession.revoked_at.is_(None))
        .values(revoked_at=now, revoked_reason=why)
        .returning(UserSession.user_id)
    )
    if user_id is not None:
        invalidate(session, cache_key(user_id))
        record(session, Action.SESSION_ENDED, Subject.SESSION, session_id, person=user_id, why=why)


_SEPARATOR: Any = literal_column("' '")  # a parameter would be a constant that the driver does not get
_COSTS = select(func.aggregate_strings(PasswordCost.example, _SEPARATOR)).scalar_subquery()
# One row, also for an unknown address: so both take the same time.
_ONE = select(literal_column("1").label("one")).subquery()
_BY_EMAIL = select(User.id, User.password_hash, User.status, _COSTS.label("costs")).select_from(
    _ONE.outerjoin(User, User.email_key == bindparam("email_key"))
)
_SESSIONS: Any = UserSession.__table__
_CREATE = (
    insert_statement(_SESSIONS)
    .values({column.key: bindparam(f"new_{column.key}", type_=column.type) for column in _SESSIONS.columns})
    .returning(_SESSIONS.c.id)
)
_BEGAN = select(UserSession.created_at).where(UserSession.id == bindparam("session_id"))
_LIVE = (
    select(
        UserSession.user_id,
        UserSession.client,
        UserSession.created_at,
        UserSession.rotated_at,
        UserSession.expires_at,
        UserSession.idle_expires_at,
    )
    .join(User, User.id == UserSession.user_id)
    .where(
        UserSession.id == bindparam("session_id"),
        User.status == UserStatus.ACTIVE,
        live(bindparam("now", type_=UserSession.expires_at.type)),
    )
)
