"""The keys that sign access tokens: encrypted in the database, and reloaded by every process."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from joserfc.jwk import ECKey
from sqlalchemy import Row, bindparam, or_, select, update
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.crypto import decrypt, encrypt
from goodword.db.database import Database
from goodword.db.statements import insert_if_absent
from goodword.sessions.models import SigningKey

ALGORITHM = "ES256"
OVERLAP = timedelta(hours=1)
"""How long a retired key still verifies: the longest lifetime of an access token."""
WATCH_SECONDS = 3.0
"""Interval of the reload, so that a revoked key is refused within five seconds."""

log = structlog.get_logger("goodword.keys")


class SigningKeys:
    """The current private key, and the public keys of all tokens that can be valid."""

    def __init__(self, database: Database, sealing_key: bytes, clock: Callable[[], datetime]) -> None:
        self._database, self._sealing_key, self._clock = database, sealing_key, clock
        self._keys: Mapping[str, ECKey] = {}
        self._current: ECKey | None = None
        self._loading = asyncio.Lock()
        self._loaded_at = 0.0

    @property
    def current(self) -> ECKey:
        assert self._current is not None, "loaded before the first request"
        return self._current

    def find(self, kid: object) -> ECKey | None:
        return self._keys.get(kid) if isinstance(kid, str) else None

    async def find_unrevoked(self, kid: str) -> ECKey | None:
        """Return a key, retired or not, or None if it is unknown or revoked. Raises `ValueError` if `kid` is no id."""
        if known := self.find(kid):
            return known
        row = await self._database.row(_UNREVOKED, key_id=UUID(kid))
        return self._open(row) if row else None

    def public(self) -> list[dict[str, object]]:
        """Return the public keys in the form of a JWK set (RFC 7517 §5)."""
        return [dict(key.as_dict(private=False)) for key in self._keys.values()]

    async def load(self) -> None:
        """Load the keys of the database. The first process creates one. Raises `WrongSecret`."""
        rows = await self._database.rows(_KEYS, since=self._clock() - OVERLAP)
        if not any(row.retired_at is None for row in rows):
            async with self._database.transaction() as session:
                await _insert(session, self._sealing_key, now=self._clock())
            rows = await self._database.rows(_KEYS, since=self._clock() - OVERLAP)
        keys = {str(row.id): self.find(str(row.id)) or self._open(row) for row in rows}
        self._current = next(keys[str(row.id)] for row in rows if row.retired_at is None)
        self._keys = keys
        self._loaded_at = asyncio.get_running_loop().time()

    async def look_again(self) -> bool:
        """Load the keys again for an unknown key id, at most once a second, since clients can invent key ids."""
        async with self._loading:
            if asyncio.get_running_loop().time() - self._loaded_at < 1:
                return False
            await self.load()
            return True

    async def watch(self) -> None:
        """Load the keys at intervals until cancelled."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await self.load()
            except (DBAPIError, PoolTimeout, OSError) as error:
                log.warning("the signing keys could not be read", error=type(error).__name__)

    def _open(self, row: Row[Any]) -> ECKey:
        pem = decrypt(self._sealing_key, row.private_key, about=row.algorithm.encode())
        return ECKey.import_key(pem, {"kid": str(row.id), "alg": row.algorithm, "use": "sig"})


async def rotate(session: AsyncSession, sealing_key: bytes, *, at_once: bool, now: datetime) -> None:
    """Create a new current key. Tokens of the old keys stay valid until they expire, unless `at_once`."""
    await session.execute(update(SigningKey).where(SigningKey.retired_at.is_(None)).values(retired_at=now))
    if at_once:
        await session.execute(
            update(SigningKey).where(SigningKey.revoked_at.is_(None)).values(revoked_at=now)
        )
    await _insert(session, sealing_key, now=now)
    record(session, Action.KEYS_ROTATED, Subject.KEY, at_once=at_once)


async def _insert(session: AsyncSession, sealing_key: bytes, *, now: datetime) -> None:
    pem = ECKey.generate_key("P-256").as_pem(private=True)
    sealed = encrypt(sealing_key, pem, about=ALGORITHM.encode())
    await insert_if_absent(session, SigningKey, algorithm=ALGORITHM, private_key=sealed, created_at=now)


_KEYS = select(SigningKey.id, SigningKey.algorithm, SigningKey.private_key, SigningKey.retired_at).where(
    SigningKey.revoked_at.is_(None),
    or_(
        SigningKey.retired_at.is_(None),
        SigningKey.retired_at > bindparam("since", type_=SigningKey.retired_at.type),
    ),
)
_UNREVOKED = select(SigningKey.id, SigningKey.algorithm, SigningKey.private_key).where(
    SigningKey.id == bindparam("key_id"), SigningKey.revoked_at.is_(None)
)
