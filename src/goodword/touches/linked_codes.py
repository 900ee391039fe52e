"""The code of a link, usable or not: its id, its program and its owner, which never change."""

import math
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, select

from goodword.cache.memory import CacheEntry, InvalidationTable, LocalCache
from goodword.codes import lookup
from goodword.codes.models import ReferralCode
from goodword.db.database import Database

REMEMBERED = 60.0
"""Seconds. Only a restored backup changes what is remembered."""


class LinkedCode(NamedTuple):
    id: uuid.UUID
    program_id: uuid.UUID
    owner_id: uuid.UUID
    code: str


class LinkedCodes:
    """Finds the code of a link. Codes that exist are remembered, so that a click costs no statement."""

    def __init__(
        self, database: Database, invalidations: InvalidationTable, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._cache: LocalCache[LinkedCode | None] = LocalCache(invalidations, clock, seconds=REMEMBERED)

    async def get(self, key: str) -> LinkedCode | None:
        """Return the code with this normalised key, or None."""

        async def load() -> CacheEntry[LinkedCode | None]:
            row = await self._database.row(_BY_KEY, key=key)
            return CacheEntry(LinkedCode._make(row) if row else None, math.inf)

        return await self._cache.get(key, load, invalidated_by=lookup.cache_key(key))


_BY_KEY = select(ReferralCode.id, ReferralCode.program_id, ReferralCode.owner_id, ReferralCode.code).where(
    ReferralCode.key == bindparam("key")
)
