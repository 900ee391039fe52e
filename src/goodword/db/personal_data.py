"""How a feature declares the personal data in its tables: what an erasure does to it, and what an export contains.

`goodword.personal_data` lists the declarations of all features.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Integer, Row, Select, bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.base import Base
from goodword.db.database import Database

if TYPE_CHECKING:
    from goodword.services import Services

PAGE = 500
"""Rows of a list that are in memory at a time."""


@dataclass(frozen=True, slots=True)
class DataSubject:
    """The user whose data is erased or exported. A participant without an account has no address."""

    user_id: uuid.UUID
    email: str | None
    email_key: str | None
    email_canonical: str | None


class Kept(NamedTuple):
    """Declares that an erasure does not touch the rows of a table, and why."""

    reason: str


class Rows(NamedTuple):
    """A list in the export: a function that returns the page after a row, and one that formats a row."""

    page: Callable[[Database, uuid.UUID, Row[Any] | None], Awaitable[Sequence[Row[Any]]]]
    format: Callable[[uuid.UUID, Row[Any]], Mapping[str, Any]]

    async def items(self, database: Database, user_id: uuid.UUID) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the items of the list."""
        rows = await self.page(database, user_id, None)
        while rows:
            for row in rows:
                yield self.format(user_id, row)
            rows = await self.page(database, user_id, rows[-1]) if len(rows) >= PAGE else ()


Erase = Callable[[AsyncSession, "Services", DataSubject], Awaitable[None]]
Load = Callable[[AsyncSession, "Services", DataSubject], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalData:
    """The personal data in one table. `export` has the sections of the export by name."""

    model: type[Base]
    erase: Erase | Kept
    export: Mapping[str, Load | Rows]


def delete_rows(model: type[Base]) -> Erase:
    """Return an erasure that deletes the rows of `model` whose `user_id` is the user."""

    async def erase(session: AsyncSession, _services: Services, subject: DataSubject) -> None:
        await delete_rows_of(session, model, subject.user_id)

    return erase


async def delete_rows_of(session: AsyncSession, model: type[Base], user_id: uuid.UUID) -> None:
    """Delete the rows of `model` whose `user_id` is the user."""
    await session.execute(delete(model).where(model.__table__.c.user_id == user_id))


def rows_of(model: type[Base], fields: str, *, owner: str = "user_id") -> Rows:
    """Return the list of the rows of `model` that belong to a user, with these fields."""
    table = model.__table__
    return rows_by_id(select(table), table.c[owner], table.c.id, fields_of(fields))


def rows_by_id(
    query: Select[Any], owner: Any, by: Any, format_row: Callable[[uuid.UUID, Row[Any]], Mapping[str, Any]]
) -> Rows:
    """Return the list of the rows of `query` whose column `owner` is the user, in the order of their ids."""
    own = query.where(owner == bindparam("user_id", type_=by.type), by > bindparam("after", type_=by.type))
    statement = own.order_by(by).limit(bindparam("rows", type_=Integer))

    async def page(database: Database, user_id: uuid.UUID, after: Row[Any] | None) -> Sequence[Row[Any]]:
        last = after.id if after is not None else uuid.UUID(int=0)
        return await database.replica_rows(statement, user_id=user_id, after=last, rows=PAGE)

    return Rows(page, format_row)


def fields_of(names: str) -> Callable[[uuid.UUID, Row[Any]], Mapping[str, Any]]:
    """Return a function that formats a row with these columns."""
    return lambda _, row: {name: getattr(row, name) for name in names.split()}
