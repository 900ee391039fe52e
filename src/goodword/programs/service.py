"""The programs of the installation, which every process keeps in memory."""

import math
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.cache.lookup_cache import EVERYTHING, HERE
from goodword.cache.memory import CacheEntry, InvalidationTable, LocalCache
from goodword.db import transaction_hooks
from goodword.db.database import Database
from goodword.errors import Conflict, NotFound
from goodword.programs.models import DEFAULT_PROGRAM_ID, Program

CACHE_KEY = f"{HERE}programs"
REMEMBERED = 0.5
"""Seconds that the programs are kept. A node without Redis notices the changes of others after this time."""


class ProgramNotFound(NotFound):
    code, detail = "program_not_found", "There is no program with this slug."


class SlugTaken(Conflict):
    code, detail = "slug_taken", "There is a program with this slug. Choose another."


Snapshot = Mapping[uuid.UUID, Program]
"""All programs by id. They belong to no session: change none of them."""


class ProgramRegistry:
    """Finds programs. There are few, so that each process keeps all of them."""

    def __init__(
        self, database: Database, invalidations: InvalidationTable, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._cache: LocalCache[Snapshot] = LocalCache(invalidations, clock, seconds=REMEMBERED)

    async def all(self) -> Snapshot:
        return await self._cache.get(CACHE_KEY, self._load, invalidated_by=CACHE_KEY)

    async def get(self, program_id: uuid.UUID = DEFAULT_PROGRAM_ID) -> Program:
        """Return the program with this id. Raises `ProgramNotFound`."""
        found = (await self.all()).get(program_id)
        if found is None:
            raise ProgramNotFound
        return found

    async def by_slug(self, slug: str) -> Program | None:
        return next((program for program in (await self.all()).values() if program.slug == slug), None)

    async def _load(self) -> CacheEntry[Snapshot]:
        rows = await self._database.rows(_ALL)
        names = Program.__table__.columns.keys()
        programs = [Program(**{name: getattr(row, name) for name in names}) for row in rows]
        return CacheEntry({program.id: program for program in programs}, math.inf)


def invalidate(session: AsyncSession) -> None:
    """Invalidate the programs, and all look-ups of codes, when the transaction commits."""
    transaction_hooks.invalidate(session, CACHE_KEY, EVERYTHING)


_ALL = select(Program.__table__).order_by(Program.created_at, Program.id)
