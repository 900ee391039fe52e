"""The keys that access tokens are signed with: made once, sealed in the database, loaded at start."""

from collections.abc import Mapping
from datetime import datetime

from joserfc.jwk import ECKey
from sqlalchemy import select

from goodword.crypto import seal, unseal
from goodword.db import Database, insert_if_absent
from goodword.sessions.models import SigningKey

ALGORITHM = "ES256"


class SigningKeys:
    """The current private key, and every key that a token still in use can be signed with."""

    def __init__(self, current: ECKey, keys: Mapping[str, ECKey]) -> None:
        self.current = current
        self._keys = keys

    def find(self, kid: object) -> ECKey | None:
        return self._keys.get(kid) if isinstance(kid, str) else None


async def load(database: Database, sealing_key: bytes, now: datetime) -> SigningKeys:
    """The keys of this database; the first process to ask makes one. Raises `WrongSecret`."""
    rows = await database.rows(_KEYS)
    if not any(row.retired_at is None for row in rows):
        about = ALGORITHM.encode()
        sealed = seal(sealing_key, ECKey.generate_key("P-256").as_pem(private=True), about=about)
        async with database.sessions.begin() as session:
            await insert_if_absent(
                session, SigningKey, algorithm=ALGORITHM, private_key=sealed, created_at=now
            )
        rows = await database.rows(_KEYS)
    keys: dict[str, ECKey] = {}
    current = None
    for row in rows:
        pem = unseal(sealing_key, row.private_key, about=row.algorithm.encode())
        kid = str(row.id)
        keys[kid] = ECKey.import_key(pem, {"kid": kid, "alg": row.algorithm, "use": "sig"})
        current = keys[kid] if row.retired_at is None else current
    assert current is not None, "a key was made above, by us or by another process"
    return SigningKeys(current, keys)


_KEYS = select(SigningKey.id, SigningKey.algorithm, SigningKey.private_key, SigningKey.retired_at)
