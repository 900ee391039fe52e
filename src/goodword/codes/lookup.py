"""Look-ups of usable codes by code or by the owner's e-mail address, and their cache."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.cache.memory import CacheEntry
from goodword.codes import code_format
from goodword.codes.models import ReferralCode, usable
from goodword.codes.schemas import CodeFound, CodeFoundByEmail, Referrer
from goodword.db import transaction_hooks
from goodword.db.database import Database
from goodword.programs.models import DEFAULT_PROGRAM_ID, Program, is_running
from goodword.services import Services
from goodword.users.models import User, UserStatus, display_name

NOT_FOUND = b"null"
"""The answer of a look-up that finds no usable code."""


class Found(NamedTuple):
    """The result of a look-up, and the time (seconds since 1970) until which it can be valid."""

    code: CodeFound | None
    until: float


async def find(database: Database, key: str, *, now: datetime) -> CodeFound | None:
    """Return the usable code with this normalised key."""
    return _found(await database.rows(_BY_KEY, key=key, now=now), now).code


async def find_by_email(database: Database, email_key: str, *, now: datetime) -> CodeFound | None:
    """Return the usable and discoverable code of the user with this address.

    If the user has codes in several programs, return that of the default one, or that activated last.
    """
    return _found(await database.rows(_BY_EMAIL, email_key=email_key, now=now), now).code


async def get_json(services: Services, key: str, *, now: datetime) -> bytes:
    """Return the code with this normalised key as JSON, or `NOT_FOUND`, from the cache if possible."""

    async def load() -> CacheEntry[bytes]:
        found = _found(await services.database.rows(_BY_KEY, key=key, now=now), now)
        return _entry(found.code, found.until)

    return await services.cache.get(cache_key(key), load)


async def get_json_by_email(services: Services, email_key: str, *, now: datetime) -> bytes:
    """Return the code of the user with this address as JSON, or `NOT_FOUND`, from the cache if possible."""

    async def load() -> CacheEntry[bytes]:
        found = _found(await services.database.rows(_BY_EMAIL, email_key=email_key, now=now), now)
        if found.code is None:
            return _entry(None, found.until)
        link = code_format.link(services.settings.public_url, found.code.code)
        return _entry(CodeFoundByEmail(**dict(found.code), link=link), found.until)

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


def _found(rows: Sequence[Row[Any]], now: datetime) -> Found:
    """Choose among the usable codes, of which an owner has one for each program."""
    running = [row for row in rows if is_running(row, now)]
    starts = [row.starts_at for row in rows if row.starts_at and row.starts_at > now]
    if not running:
        return Found(None, min(starts).timestamp() if starts else math.inf)
    row = max(running, key=lambda row: (row.program_id == DEFAULT_PROGRAM_ID, row.activated_at))
    until = min(row.expires_at, row.ends_at or row.expires_at, *starts)
    referrer = Referrer(display_name=display_name(row.first_name, row.last_name))
    return Found(CodeFound(code=row.code, expires_at=row.expires_at, referrer=referrer), until.timestamp())


def _entry(code: CodeFound | CodeFoundByEmail | None, until: float) -> CacheEntry[bytes]:
    return CacheEntry(code.model_dump_json().encode() if code else NOT_FOUND, until)


# Also codes of programs that do not run now: the cached answer is valid until the program starts.
_PUBLIC_CODES = (
    select(
        ReferralCode.code,
        ReferralCode.expires_at,
        ReferralCode.activated_at,
        ReferralCode.program_id,
        User.first_name,
        User.last_name,
        Program.status,
        Program.starts_at,
        Program.ends_at,
    )
    .join(User, User.id == ReferralCode.owner_id)
    .join(Program, Program.id == ReferralCode.program_id)
    .where(User.status == UserStatus.ACTIVE, usable(bindparam("now")))
)
_BY_KEY = _PUBLIC_CODES.where(ReferralCode.key == bindparam("key"))
_BY_EMAIL = _PUBLIC_CODES.where(User.email_key == bindparam("email_key"), ReferralCode.discoverable.is_(True))
