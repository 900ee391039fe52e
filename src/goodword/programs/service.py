"""Rules of programs, and the registry that keeps all of them in the memory of each process."""

import math
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.cache.lookup_cache import EVERYTHING, HERE
from goodword.cache.memory import CacheEntry, InvalidationTable, LocalCache
from goodword.config.production_checks import leaves_in_clear
from goodword.config.settings import Settings
from goodword.db import transaction_hooks
from goodword.db.database import Database
from goodword.db.keyset import Position, keyset_page
from goodword.db.statements import insert_if_absent
from goodword.errors import Conflict, NotFound, Unprocessable
from goodword.programs.fields import SLUG
from goodword.programs.models import DEFAULT_PROGRAM_ID, Program, UnusableLink
from goodword.programs.schemas import ProgramCreate, ProgramUpdate

CACHE_KEY = f"{HERE}programs"
REMEMBERED = 0.5
"""Seconds that the programs are kept. A node without Redis notices the changes of others after this time."""


class ProgramNotFound(NotFound):
    code, detail = "program_not_found", "There is no program with this slug."


class SlugTaken(Conflict):
    code, detail = "slug_taken", "There is a program with this slug. Choose another."


class PeriodInvalid(Unprocessable):
    code, field = "period_invalid", "body.ends_at"
    detail = "The program must end after it starts."


class LinkTargetMissing(Unprocessable):
    code, field = "link_target_missing", "body.unusable_link"
    detail = "The program has no link target. Give one, or choose `page`."


class LinkTargetInsecure(Unprocessable):
    code, field = "link_target_insecure", "body.link_target"
    detail = "In production the target must be https, unless it is in your own network."


class LinkTargetLoops(Unprocessable):
    code, field = "link_target_loops", "body.link_target"
    detail = "The target must not be a referral link of this service, which would lead to itself."


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


async def create(session: AsyncSession, settings: Settings, body: ProgramCreate, *, now: datetime) -> Program:
    """Create a program. Raises `SlugTaken`, `PeriodInvalid` and the `LinkTarget…` errors."""
    values = body.model_dump()
    _check(values, settings)
    program = await insert_if_absent(session, Program, **values, created_at=now)
    if program is None:
        raise SlugTaken
    record(session, Action.PROGRAM_CREATED, Subject.PROGRAM, program.id)
    invalidate(session)
    return program


async def update(
    session: AsyncSession, settings: Settings, slug: str, body: ProgramUpdate, *, within: uuid.UUID | None
) -> Program:
    """Change the fields that `body` gives. `within` is the only program that the caller can reach, if any.

    Raises `ProgramNotFound`, `PeriodInvalid` and the `LinkTarget…` errors.
    """
    program = await get(session, slug, within=within, lock=True)
    given = body.model_dump(exclude_unset=True)
    changes = {name: value for name, value in given.items() if value != getattr(program, name)}
    if not changes:
        return program
    _check({name: getattr(program, name) for name in CHECKED} | changes, settings)
    for name, value in changes.items():
        setattr(program, name, value)
    record(session, Action.PROGRAM_CHANGED, Subject.PROGRAM, program.id, fields=" ".join(sorted(changes)))
    invalidate(session)
    return program


def _check(values: Mapping[str, Any], settings: Settings) -> None:
    starts_at, ends_at, target = values["starts_at"], values["ends_at"], values["link_target"]
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        raise PeriodInvalid
    if target is None:
        if values["unusable_link"] == UnusableLink.TARGET:
            raise LinkTargetMissing
        return
    if settings.environment == "production" and leaves_in_clear(target):
        raise LinkTargetInsecure
    own, there = urlsplit(settings.public_url), urlsplit(target)
    if there.netloc.lower() == own.netloc.lower() and there.path.lower().startswith(f"{own.path.lower()}/r/"):
        raise LinkTargetLoops


async def list_programs(
    session: AsyncSession, *, within: uuid.UUID | None, after: Position | None, limit: int
) -> Sequence[Program]:
    """Return programs, newest first, and one more than `limit` if there are more. `within`: only this one."""
    query = select(Program)
    if within is not None:
        query = query.where(Program.id == within)
    query = keyset_page(query, (Program.created_at, Program.id), after=after, limit=limit)
    return (await session.scalars(query)).all()


async def get(
    session: AsyncSession, slug: str, *, within: uuid.UUID | None = None, lock: bool = False
) -> Program:
    """Return the program with this slug from the database. Raises `ProgramNotFound`."""
    if not re.fullmatch(SLUG, slug):  # PostgreSQL refuses some characters
        raise ProgramNotFound
    query = select(Program).where(Program.slug == slug)
    program = await session.scalar(query.with_for_update() if lock else query)
    if program is None or within not in (None, program.id):
        raise ProgramNotFound
    return program


def invalidate(session: AsyncSession) -> None:
    """Invalidate the programs, and all look-ups of codes, when the transaction commits."""
    transaction_hooks.invalidate(session, CACHE_KEY, EVERYTHING)


CHECKED = ("starts_at", "ends_at", "link_target", "unusable_link")
_ALL = select(Program.__table__).order_by(Program.created_at, Program.id)
