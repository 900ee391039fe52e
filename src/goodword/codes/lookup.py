"""Look-ups of usable codes by code or by the owner's e-mail address, and their cache."""

import math
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.cache.memory import CacheEntry
from goodword.codes import code_format
from goodword.codes.models import ReferralCode, usable
from goodword.codes.schemas import CodeFound, CodeFoundByEmail, Referrer
from goodword.db import transaction_hooks
from goodword.db.database import Database
from goodword.services import Services
from goodword.users.models import User, UserStatus, display_name

NOT_FOUND = b"null"
"""The answer of a look-up that finds no usable code."""


async def find(database: Database, key: str, *, now: datetime) -> CodeFound | None:
    """Return the usable code with this normalised key."""
    return _found(await database.row(_BY_KEY, key=key, now=now))


async def find_by_email(database: Database, email_key: str, *, now: datetime) -> CodeFound | None:
    """Return the usable and discoverable code of the user with this address."""
    return _found(await database.row(_BY_EMAIL, email_key=email_key, now=now))


async def get_json(services: Services, key: str, *, now: datetime) -> bytes:
    """Return the code with this normalised key as JSON, or `NOT_FOUND`, from the cache if possible."""

    async def load() -> CacheEntry[bytes]:
        return _entry(await find(services.database, key, now=now))

    return await services.cache.get(cache_key(key), load)


async def get_json_by_email(services: Services, email_key: str, *, now: datetime) -> bytes:
    """Return the code of the user with this address as JSON, or `NOT_FOUND`, from the cache if possible."""

    async def load() -> CacheEntry[bytes]:
        found = await find_by_email(services.database, email_key, now=now)
        if found is None:
            return _entry(None)
        link = code_format.link(services.settings.public_url, found.code)
        return _entry(
            CodeFoundByEmail(code=found.code, link=link, expires_at=found.expires_at, referrer=found.referrer)
        )

    return await services.cache.get(email_cache_key(email_key), load)


def cache_key(key: str) -> str:
    return f"code:{key}"


def email_cache_key(email_key: str) -> str:
    return f"email:{email_key}"


def invalidate(session: AsyncSession, key: str | None, email_key: str | None) -> None:
    """Invalidate the cached look-ups by this code and by its owner's address when the transaction commits."""
    if key:
        transaction_hooks.invalidate(session, cache_key(key))
    if email_key:
        transaction_hooks.invalidate(session, email_cache_key(email_key))


def _found(row: Row[Any] | None) -> CodeFound | None:
    if row is None:
        return None
    referrer = Referrer(display_name=display_name(row.first_name, row.last_name))
    return CodeFound(code=row.code, expires_at=row.expires_at, referrer=referrer)


def _entry(code: CodeFound | CodeFoundByEmail | None) -> CacheEntry[bytes]:
    if code is None:
        return CacheEntry(NOT_FOUND, math.inf)
    return CacheEntry(code.model_dump_json().encode(), code.expires_at.timestamp())


_PUBLIC_CODES = (
    select(ReferralCode.code, ReferralCode.expires_at, User.first_name, User.last_name)
    .join(User, User.id == ReferralCode.owner_id)
    .where(User.status == UserStatus.ACTIVE, usable(bindparam("now")))
)
_BY_KEY = _PUBLIC_CODES.where(ReferralCode.key == bindparam("key"))
_BY_EMAIL = _PUBLIC_CODES.where(User.email_key == bindparam("email_key"), ReferralCode.discoverable.is_(True))
