"""What the records of an export share: pages of rows, times, and names of programs."""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam
from sqlalchemy.ext.asyncio import AsyncConnection

from goodword.db.database import FIRST_ID

PAGE = 2_000
ProgramsById = Mapping[uuid.UUID, Row[Any]]


def page(query: Select[Any], column: Any) -> Select[Any]:
    """Return the statement for a page of rows by their id."""
    return query.where(column > bindparam("after", type_=column.type)).order_by(column).limit(PAGE)


async def pages(connection: AsyncConnection, query: Select[Any]) -> AsyncIterator[Sequence[Row[Any]]]:
    """Yield the rows of a statement of `page`, page by page."""
    after = FIRST_ID
    while rows := (await connection.execute(query, {"after": after})).all():
        yield rows
        after = rows[-1].id


def present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def time_text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def other_program(program_id: uuid.UUID, programs: ProgramsById) -> str | None:
    """Return the slug of a program, or None for the default one, as files of earlier releases have it."""
    program = programs[program_id]
    return None if program.is_default else program.slug
