"""Import programs."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.programs import service as programs
from goodword.programs.models import Program
from goodword.transfer.fields import Refusal
from goodword.transfer.records import ProgramRecord
from goodword.transfer.rows import Done, Outcome, insert_all
from goodword.users.models import User


async def add_programs(
    session: AsyncSession, batch: Sequence[ProgramRecord], *, now: datetime
) -> list[Outcome]:
    """Create the programs of a batch that do not exist yet, and return what became of each line.

    The default program exists in every installation. It takes the terms of the file while there are no users.
    """
    existing = {row.slug: row for row in await session.execute(select(Program.__table__))}
    ids = {row.id for row in existing.values()}
    is_empty = await session.scalar(select(User.id).limit(1)) is None
    outcomes: list[Outcome] = []
    rows: dict[str, dict[str, Any]] = {}
    for record in batch:
        terms = record.model_dump(exclude={"type", "id", "created_at"})
        found = existing.get(record.slug)
        if record.slug in rows:
            outcomes.append(Done.UNCHANGED)
        elif found is not None:
            is_changed = any(getattr(found, name) != value for name, value in terms.items())
            if is_empty and found.is_default and is_changed:
                await session.execute(update(Program).where(Program.id == found.id).values(terms))
                outcomes.append(Done.CREATED)
            else:
                outcomes.append(Done.UNCHANGED)
        elif record.id in ids:
            outcomes.append(Refusal("id", "id_taken"))
        else:
            rows[record.slug] = terms | {"created_at": record.created_at or now}
            if record.id:
                rows[record.slug]["id"] = record.id
                ids.add(record.id)
            outcomes.append(Done.CREATED)
    if Done.CREATED in outcomes:
        await insert_all(session, Program, list(rows.values()))
        programs.invalidate(session)
    return outcomes


class Programs:
    """The programs by their slug."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._ids = {row.slug: row.id for row in rows}
        self._default = next(row.id for row in rows if row.is_default)

    @classmethod
    async def load(cls, session: AsyncSession) -> "Programs":
        query = select(Program.id, Program.slug, Program.is_default)
        return cls((await session.execute(query)).all())

    def find(self, slug: str | None) -> uuid.UUID | None:
        """Return the id of a program, without a slug that of the default one."""
        return self._default if slug is None else self._ids.get(slug)
