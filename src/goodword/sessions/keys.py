"""The keys that sign tokens: encrypted in the database, and reloaded by every process."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import Row, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.cache.lookup_cache import HERE
from goodword.clock import utc_now
from goodword.crypto import decrypt, encrypt
from goodword.db.database import Database
from goodword.db.periodic import repeat
from goodword.db.statements import insert_if_absent
from goodword.db.transaction_hooks import invalidate
from goodword.sessions.models import SigningKey

ES256, RS256 = "ES256", "RS256"
ALGORITHMS = (ES256, RS256)
"""Access tokens are signed with ES256. ID tokens too, or with RS256, which every client must support."""

JWKS_LIFETIME = timedelta(minutes=5)
"""How long clients may cache the published keys. Short, because a client refuses tokens of a key that it lacks."""
WATCH_SECONDS = 3.0
"""Interval of the reload, so that a revoked key is refused within five seconds."""
STALE_SECONDS = 3 * WATCH_SECONDS
LEAD = JWKS_LIFETIME + timedelta(seconds=WATCH_SECONDS + 1)
"""How long a new key is published before it signs: every process must publish it, and every cached copy expire."""
OVERLAP = timedelta(hours=1)
"""How long a retired key still verifies: the longest lifetime of an access token."""
RELOAD_PAUSE = 0.2
"""Seconds between reloads for unknown key ids, which clients can invent."""

CACHE_KEY = f"{HERE}signing-keys"

Key = ECKey | RSAKey


class SigningKeys:
    """The private keys that sign now, and the public keys of all tokens that can be valid."""

    def __init__(self, database: Database, sealing_key: bytes, clock: Callable[[], datetime]) -> None:
        self._database, self._sealing_key, self._clock = database, sealing_key, clock
        self._opened: dict[UUID, Key] = {}
        self._keys: Mapping[str, Key] = {}
        self._signing: Mapping[str, list[tuple[datetime | None, Key]]] = {}
        self._loading = asyncio.Lock()
        self._loaded_at = 0.0
        self.changed = asyncio.Event()
        """Set it when another process has revoked keys."""

    def signing_key(self, algorithm: str) -> Key:
        """Return the key that signs now: the oldest that is not retired."""
        now = self._clock()
        return next(
            key for retired_at, key in self._signing[algorithm] if retired_at is None or now < retired_at
        )

    def find(self, kid: object, *algorithms: str) -> Key | None:
        """Return a key for one of the algorithms, or None if it is unknown."""
        key = self._keys.get(kid) if isinstance(kid, str) else None
        return key if key is not None and key.alg in algorithms else None

    async def find_unrevoked(self, kid: str) -> Key | None:
        """Return a key, retired or not, or None if it is unknown or revoked. Raises `ValueError` if `kid` is no id."""
        if known := self.find(kid, *ALGORITHMS):
            return known
        row = await self._database.row(_UNREVOKED, key_id=UUID(kid))
        return self._open(row) if row else None

    def public(self) -> list[dict[str, object]]:
        """Return the public keys in the form of a JWK set (RFC 7517 §5)."""
        return [dict(key.as_dict(private=False)) for key in self._keys.values()]

    async def load(self) -> None:
        """Load the keys of the database. The first process creates them. Raises `WrongSecret`."""
        async with self._loading:
            await self._load()

    async def _load(self) -> None:
        began = asyncio.get_running_loop().time()
        rows = await self._read()
        present = {row.algorithm for row in rows if row.retired_at is None}
        if missing := [algorithm for algorithm in ALGORITHMS if algorithm not in present]:
            made = await _generate(*missing)
            async with self._database.transaction() as session:
                await _insert(session, self._sealing_key, made, now=self._clock())
            rows = await self._read()
        keys = {str(row.id): self._open(row) for row in rows}
        self._signing = {
            algorithm: [(row.retired_at, keys[str(row.id)]) for row in rows if row.algorithm == algorithm]
            for algorithm in ALGORITHMS
        }
        self._keys = keys
        self._loaded_at = began

    async def _read(self) -> list[Row[Any]]:
        rows = await self._database.rows(_KEYS, since=self._clock() - OVERLAP)
        return sorted(rows, key=lambda row: (row.retired_at is None, row.retired_at or row.created_at))

    @classmethod
    async def can_open(cls, database: Database, sealing_key: bytes) -> bool:
        """Return whether there are keys, and this key opens them. Raises `WrongSecret`."""
        rows = await database.rows(_KEYS, since=utc_now())
        for row in rows:
            decrypt(sealing_key, row.private_key, about=row.algorithm.encode())
        return bool(rows)

    async def look_again(self) -> None:
        """Load the keys again for an unknown key id. Concurrent callers wait for one load."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        async with self._loading:
            if self._loaded_at < asked:
                await asyncio.sleep(self._loaded_at + RELOAD_PAUSE - asked)
                await self._load()

    async def watch(self) -> None:
        """Load the keys at intervals, and when they were changed, until cancelled."""
        await repeat("load_signing_keys", self.load, every=WATCH_SECONDS, sooner=self.changed)

    def are_stale(self) -> bool:
        """Return whether the keys could not be loaded for some time, so that a revoked one may still be in use."""
        return asyncio.get_running_loop().time() - self._loaded_at > STALE_SECONDS

    def _open(self, row: Row[Any]) -> Key:
        if row.id not in self._opened:
            pem = decrypt(self._sealing_key, row.private_key, about=row.algorithm.encode())
            # OpenSSL takes 50 ms to check an RSA key. Only `_generate` makes these, and they are authenticated.
            raw: Any = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
            kind = RSAKey if row.algorithm == RS256 else ECKey
            self._opened[row.id] = kind(raw, pem, {"kid": str(row.id), "alg": row.algorithm, "use": "sig"})
        return self._opened[row.id]


async def rotate(session: AsyncSession, sealing_key: bytes, *, at_once: bool, now: datetime) -> None:
    """Publish a new key for each algorithm, which signs after `LEAD`. Tokens of the old keys stay valid.

    With `at_once`, the new keys sign now, and all tokens of the old keys are invalid.
    """
    made = await _generate(*ALGORITHMS)
    unretired = SigningKey.retired_at.is_(None)
    if at_once:
        unrevoked = update(SigningKey).where(SigningKey.revoked_at.is_(None))
        await session.execute(unrevoked.values(revoked_at=now))
        await session.execute(
            update(SigningKey).where(unretired | (SigningKey.retired_at > now)).values(retired_at=now)
        )
    else:
        await session.execute(update(SigningKey).where(unretired).values(retired_at=now + LEAD))
    await _insert(session, sealing_key, made, now=now)
    invalidate(session, CACHE_KEY)
    record(session, Action.KEYS_ROTATED, Subject.KEY, at_once=at_once)


async def list_keys(session: AsyncSession, *, limit: int = 100) -> Sequence[Any]:
    """Return the latest keys without their private parts, the newest first."""
    columns = (SigningKey.id, SigningKey.algorithm, SigningKey.created_at, SigningKey.retired_at)
    query = select(*columns, SigningKey.revoked_at).order_by(
        SigningKey.created_at.desc(), SigningKey.id.desc()
    )
    return (await session.execute(query.limit(limit))).all()


async def _generate(*algorithms: str) -> dict[str, bytes]:
    """Return a private key for each algorithm as PEM. An RSA key can take a second, so a thread generates it."""

    def generate(algorithm: str) -> bytes:
        key = RSAKey.generate_key(2048) if algorithm == RS256 else ECKey.generate_key("P-256")
        return key.as_pem(private=True)

    return {algorithm: await asyncio.to_thread(generate, algorithm) for algorithm in algorithms}


async def _insert(
    session: AsyncSession, sealing_key: bytes, made: Mapping[str, bytes], *, now: datetime
) -> None:
    for algorithm, pem in made.items():
        sealed = encrypt(sealing_key, pem, about=algorithm.encode())
        await insert_if_absent(session, SigningKey, algorithm=algorithm, private_key=sealed, created_at=now)


_KEYS = select(
    SigningKey.id, SigningKey.algorithm, SigningKey.private_key, SigningKey.created_at, SigningKey.retired_at
).where(
    SigningKey.revoked_at.is_(None),
    or_(
        SigningKey.retired_at.is_(None),
        SigningKey.retired_at > bindparam("since", type_=SigningKey.retired_at.type),
    ),
)
_UNREVOKED = select(SigningKey.id, SigningKey.algorithm, SigningKey.private_key).where(
    SigningKey.id == bindparam("key_id"), SigningKey.revoked_at.is_(None)
)
