"""Finding somebody's code by its string or by their address: what friends do, more often than all else."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.cache.lookup_cache import LookupCache
from goodword.cache.memory import CacheEntry
from goodword.codes.models import ReferralCode, usable
from goodword.codes.schemas import CodeFound, CodeFoundByEmail, Referrer
from goodword.db import transaction_hooks
from goodword.db.database import Database
from goodword.users.models import User, UserStatus, display_name

NOTHING = b"null"


class Owner(Protocol):
    @property
    def email_key(self) -> str | None: ...


class Code(Protocol):
    @property
    def key(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class PublicCode:
    """A code that works now, as it is shown to those who look it up."""

    code: str
    expires_at: datetime
    referrer: str


async def look_up(database: Database, key: str, *, now: datetime) -> PublicCode | None:
    """The code of this folded string, if a friend can use it now."""
    return _found(await database.row(_BY_KEY, key=key, now=now))


async def shown(cache: LookupCache, database: Database, key: str, *, now: datetime) -> bytes:
    """What anyone is shown of the code of this folded string, as JSON; `NOTHING`, if it cannot be used."""

    async def find() -> CacheEntry[bytes]:
        found = await look_up(database, key, now=now)
        if found is None:
            return CacheEntry(NOTHING, math.inf)
        referrer = Referrer(display_name=found.referrer)
        return kept(CodeFound(code=found.code, expires_at=found.expires_at, referrer=referrer))

    return await cache.get(by_string(key), find)


def kept(code: CodeFound | CodeFoundByEmail) -> CacheEntry[bytes]:
    """An answer as the cache keeps it, until the code's last instant."""
    return CacheEntry(code.model_dump_json().encode(), code.expires_at.timestamp())


async def look_up_by_email(database: Database, email_key: str, *, now: datetime) -> PublicCode | None:
    """The active code of the person with this address, unless hidden."""
    return _found(await database.row(_BY_EMAIL, email_key=email_key, now=now))


def by_string(key: str) -> str:
    """The name under which the cache keeps what was found for this folded string."""
    return f"code:{key}"


def by_email(email_key: str) -> str:
    return f"email:{email_key}"


def invalidate(session: AsyncSession, owner: Owner, code: Code) -> None:
    """What was found of this code of `owner` is no longer true once the transaction is committed."""
    if code.key:
        transaction_hooks.invalidate(session, by_string(code.key))
    if owner.email_key:
        invalidate_email(session, owner.email_key)


def invalidate_email(session: AsyncSession, email_key: str) -> None:
    transaction_hooks.invalidate(session, by_email(email_key))


def _found(row: Row[Any] | None) -> PublicCode | None:
    if row is None:
        return None
    return PublicCode(row.code, row.expires_at, display_name(row.first_name, row.last_name))


_LOOK_UP = (
    select(ReferralCode.code, ReferralCode.expires_at, User.first_name, User.last_name)
    .join(User, User.id == ReferralCode.owner_id)
    .where(User.status == UserStatus.ACTIVE, usable(bindparam("now", type_=ReferralCode.expires_at.type)))
)
_BY_KEY = _LOOK_UP.where(ReferralCode.key == bindparam("key"))
_BY_EMAIL = _LOOK_UP.where(User.email_key == bindparam("email_key"), ReferralCode.discoverable.is_(True))
