"""One-time tokens, sent by e-mail, that prove access to a mailbox."""

import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword import actor
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.crypto import hmac_of
from goodword.db.database import Database
from goodword.errors import BadRequest
from goodword.rate_limits import quotas
from goodword.rate_limits.quotas import QuotaExceeded
from goodword.services import DerivedKeys
from goodword.users.addresses import Address
from goodword.users.models import Purpose, User, UserStatus, Verification
from goodword.web import pasted_links

PREFIX = "gwv_"
TOKEN_BYTES, TOKEN_LENGTH = 32, 43
LIFETIME = {
    Purpose.VERIFY_EMAIL: timedelta(hours=24),
    Purpose.RESET_PASSWORD: timedelta(minutes=30),
    Purpose.CHANGE_EMAIL: timedelta(hours=24),
}
HOUR = timedelta(hours=1)
EMAILS_PER_HOUR = 5


class VerificationInvalid(BadRequest):
    code = "token_invalid"
    detail = "This link is not valid or has expired. Request a new one."


async def issue(
    session: AsyncSession,
    user: User,
    purpose: Purpose,
    address: Address,
    *,
    job_id: uuid.UUID,
    keys: DerivedKeys,
    now: datetime,
) -> str | None:
    """Return a new token for `user`, who is locked, to be sent to `address`. Earlier ones of its purpose end.

    Return None if the user or the address has got as many messages of this purpose as an hour allows. The row
    has the id of the job that sends the message: a second attempt replaces the token, and is not counted again.
    """
    query = delete(Verification).where(Verification.id == job_id).returning(Verification.id)
    if await session.scalar(query) is None:
        try:
            async with session.begin_nested():
                for scope in (quotas.user_scope(purpose, user.id), (purpose, "to", address.key)):
                    await quotas.take(
                        session, keys.quotas, *scope, limit=EMAILS_PER_HOUR, period=HOUR, now=now
                    )
        except QuotaExceeded:
            return None
    await revoke(session, user.id, purpose, now=now)
    token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    verification = Verification(
        id=job_id,
        user_id=user.id,
        purpose=purpose,
        token_mac=_mac(keys.one_time_tokens, purpose, token),
        email=address.text,
        email_key=address.key,
        created_at=now,
        expires_at=now + LIFETIME[purpose],
    )
    session.add(verification)
    await session.flush()
    record(session, Action.TOKEN_SENT, Subject.USER, user.id, purpose=purpose.value)
    return token


def find_token(text: str) -> str:
    """Return the token in a link as people paste it. Return other text as it is."""
    return pasted_links.find_token(text, PREFIX, TOKEN_LENGTH)


async def has_effect_already(database: Database, purpose: Purpose, token: str, *, key: bytes) -> bool:
    """Return whether the address that the token verifies is the verified address of its account."""
    return await database.row(_EFFECTIVE, token_mac=_mac(key, purpose, token)) is not None


async def find(
    database: Database, purpose: Purpose, token: str, *, key: bytes, now: datetime
) -> Row[Any] | None:
    """Return the address and names of the owner of a valid token. The token stays unused."""
    return await database.row(_GOOD, token_mac=_mac(key, purpose, token), now=now)


async def consume(
    session: AsyncSession, purpose: Purpose, token: str, *, key: bytes, now: datetime
) -> tuple[User, str]:
    """Mark a token as used. Return its user, locked, and the address that it verifies.

    Raises `VerificationInvalid` for a token that is unknown, used, expired or superseded, has another purpose,
    belongs to an inactive account, or was sent to an address that the account no longer has.
    """
    token_mac = _mac(key, purpose, token)
    owner = select(Verification.user_id).where(Verification.token_mac == token_mac).scalar_subquery()
    user = await session.scalar(
        select(User).where(User.id == owner, User.status == UserStatus.ACTIVE).with_for_update(key_share=True)
    )
    if user is None:
        raise VerificationInvalid
    used = update(Verification).where(
        Verification.token_mac == token_mac, Verification.used_at.is_(None), Verification.expires_at > now
    )
    if purpose != Purpose.CHANGE_EMAIL:
        used = used.where(Verification.email_key == user.email_key)
    email = await session.scalar(used.values(used_at=now).returning(Verification.email))
    if email is None:
        raise VerificationInvalid
    actor.mark_authenticated(user.id)
    return user, email


async def revoke(session: AsyncSession, user_id: uuid.UUID, *purposes: Purpose, now: datetime) -> None:
    """Invalidate the tokens of a user for these purposes."""
    await session.execute(
        update(Verification)
        .where(
            Verification.user_id == user_id,
            Verification.purpose.in_(purposes),
            Verification.used_at.is_(None),
        )
        .values(used_at=now)
    )


async def forget(session: AsyncSession, user_id: uuid.UUID, email_key: str | None) -> None:
    """Delete the tokens of a user, and those of other users that were sent to the same address."""
    own = or_(Verification.user_id == user_id, Verification.email_key == email_key)
    await session.execute(delete(Verification).where(own))


def _mac(key: bytes, purpose: Purpose, token: str) -> bytes:
    # The purpose is part of the hash, so that a token for another purpose is unknown.
    return hmac_of(key, purpose.encode(), token.encode(errors="surrogatepass"))


_EFFECTIVE = (
    select(User.id)
    .join(Verification, Verification.user_id == User.id)
    .where(
        Verification.token_mac == bindparam("token_mac"),
        Verification.email_key == User.email_key,
        User.verified_at.is_not(None),
        User.status == UserStatus.ACTIVE,
    )
)
_GOOD = (
    select(User.email, User.first_name, User.last_name)
    .join(Verification, Verification.user_id == User.id)
    .where(
        Verification.token_mac == bindparam("token_mac"),
        Verification.used_at.is_(None),
        Verification.expires_at > bindparam("now", type_=Verification.expires_at.type),
        User.status == UserStatus.ACTIVE,
        or_(Verification.purpose == Purpose.CHANGE_EMAIL, Verification.email_key == User.email_key),
    )
)
