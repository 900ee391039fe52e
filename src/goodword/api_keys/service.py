"""Create, list, revoke and find API keys."""

import os
import uuid
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.api_keys.models import ApiKey
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.cache.lookup_cache import HERE
from goodword.crypto import Signer, hmac_of
from goodword.db.database import Database
from goodword.db.statements import insert_if_absent
from goodword.db.transaction_hooks import invalidate
from goodword.languages import to_translate
from goodword.oauth import scopes

PREFIX = "gwk_"
RANDOM_BYTES = 20
LENGTH = 52
"""Of a key: the prefix, and random bytes with their MAC in base64url."""
LONGEST_NAME = 64
LONGEST_LIFETIME = timedelta(days=3660)


class ApiKeyInvalid(ValueError):
    """A key that cannot be created. The text gives the reason."""


async def create(
    session: AsyncSession,
    secret: bytes,
    *,
    name: str,
    scope: Collection[str],
    program_id: uuid.UUID | None = None,
    lifetime: timedelta | None = None,
    now: datetime,
) -> tuple[ApiKey, str]:
    """Create a key and return its text too, which is not stored. Raises `ApiKeyInvalid`."""
    _check(name, scope, lifetime)
    text = Signer(secret, PREFIX).sign(os.urandom(RANDOM_BYTES))
    expires_at = None if lifetime is None else now + lifetime
    key = await insert_if_absent(
        session,
        ApiKey,
        name=name,
        key_mac=hmac_of(secret, b"stored", text.encode()),
        scope=scopes.text(scope),
        program_id=program_id,
        expires_at=expires_at,
        created_at=now,
    )
    if key is None:
        raise ApiKeyInvalid(
            to_translate("Another API key has this name. Choose another name, or revoke that key first.")
        )
    details = {
        "scope": key.scope,
        "program_id": str(program_id) if program_id else "",
        "expires_at": expires_at.isoformat() if expires_at else "",
    }
    given: dict[str, Any] = {field: value for field, value in details.items() if value}
    record(session, Action.API_KEY_CREATED, Subject.API_KEY, key.id, **given)
    return key, text


def _check(name: str, scope: Collection[str], lifetime: timedelta | None) -> None:
    if not name or name != name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise ApiKeyInvalid(
            to_translate("A name has 1 to 64 visible characters, without spaces at its beginning and end.")
        )
    if not scope:
        raise ApiKeyInvalid(to_translate("Choose at least one scope."))
    if not set(scope) <= scopes.SERVER_SCOPES.keys():
        raise ApiKeyInvalid(to_translate("An API key cannot have one of these scopes."))
    if lifetime is not None and not timedelta(0) < lifetime <= LONGEST_LIFETIME:
        raise ApiKeyInvalid(to_translate("A key expires after 1 to 3660 days, or never."))


async def list_keys(session: AsyncSession) -> Sequence[ApiKey]:
    """Return the keys that are not revoked, the oldest first."""
    query = select(ApiKey).where(ApiKey.revoked_at.is_(None)).order_by(ApiKey.id)
    return (await session.scalars(query)).all()


async def revoke(session: AsyncSession, name: str, *, now: datetime) -> bool:
    """Revoke the key of this name at once. Return False if there is none."""
    return await _revoke(session, ApiKey.name == name, now=now)


async def revoke_by_id(session: AsyncSession, key_id: uuid.UUID, *, now: datetime) -> bool:
    """Revoke a key at once. Return False if it is unknown or revoked."""
    return await _revoke(session, ApiKey.id == key_id, now=now)


async def _revoke(session: AsyncSession, which: ColumnElement[bool], *, now: datetime) -> bool:
    changed = (
        await session.execute(
            update(ApiKey)
            .where(which, ApiKey.revoked_at.is_(None))
            .values(revoked_at=now)
            .returning(ApiKey.id, ApiKey.key_mac)
        )
    ).one_or_none()
    if changed is None:
        return False
    invalidate(session, cache_key(changed.key_mac))
    record(session, Action.API_KEY_REVOKED, Subject.API_KEY, changed.id)
    return True


def mac_of(secret: bytes, text: str) -> bytes | None:
    """Return the stored form of a key, or None for a text that this service has not made.

    The MAC in a key tells that without a look-up, so guesses do not reach the database.
    """
    if len(text) != LENGTH or Signer(secret, PREFIX).verify(text) is None:
        return None
    return hmac_of(secret, b"stored", text.encode())


def cache_key(key_mac: bytes) -> str:
    """Return the cache key of a key, which also invalidates it."""
    return f"{HERE}api-key:{key_mac.hex()}"


async def find(database: Database, key_mac: bytes, *, now: datetime) -> Row[Any] | None:
    """Return the row of a key that may be used, or None."""
    return await database.row(LIVE, key_mac=key_mac, now=now)


async def record_use(database: Database, key_id: uuid.UUID, today: date) -> None:
    """Record that a key is used today, in a transaction of its own."""
    async with database.transaction() as session:
        await session.execute(_USED, {"key_id": key_id, "today": today})


LIVE = select(ApiKey.__table__).where(
    ApiKey.key_mac == bindparam("key_mac"),
    ApiKey.revoked_at.is_(None),
    or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > bindparam("now", type_=ApiKey.expires_at.type)),
)
_USED = (
    update(ApiKey.__table__)  # type: ignore[arg-type]
    .where(
        ApiKey.id == bindparam("key_id"),
        or_(ApiKey.last_used_on.is_(None), ApiKey.last_used_on < bindparam("today")),
    )
    .values(last_used_on=bindparam("today"))
)
