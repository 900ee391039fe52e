"""Lists for administrators: filter, sort, count and export rows without reading a whole table.

If the range of a query has at most `SCAN_LIMIT` rows, they are counted, and sorted by any column. In a larger range
rows are in the order of their ids, which grow with time (RFC 9562 §5.7), and filters without an index read
`SCAN_LIMIT` rows for each page.
"""

import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from goodword.audit.service import first_id
from goodword.db.database import Database
from goodword.db.keyset import keyset_order

SCAN_LIMIT = 20_000
EXPORT_ROWS = 1_000
"""Rows of an export that are read at a time."""
Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a page and of its file. `sort` is an expression that is never null; the id sorts by age."""

    name: str
    label: str
    """Marked by `to_translate`."""
    cell: Callable[[Any], object]
    """Returns the value in the file for a row."""
    sort: ColumnElement[Any] | InstrumentedAttribute[Any] | None = None
    is_shown: bool = True
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a list. `time` is the column that a range of dates applies to, unless it is the id."""

    name: str
    statement: Select[*tuple[Any, ...]]
    id: InstrumentedAttribute[uuid.UUID]
    columns: Sequence[Column]
    default: str
    """The name of the column that sorts, after `-` if it descends."""
    time: InstrumentedAttribute[Any] | None = None

    def sortable(self) -> Sequence[str]:
        """Return the names of the columns that can sort the list."""
        return [column.name for column in self.columns if column.sort is not None]

    def by_age(self) -> str:
        """Return the name of the column that sorts by age."""
        return next((column.name for column in self.columns if column.sort is self.id), "")

    def ordered_by(self, sort: str) -> ColumnElement[Any] | InstrumentedAttribute[Any]:
        """Return what to sort by for a column name, after `-` or not: the id if no column has the name."""
        name = sort.removeprefix("-")
        found = next((column.sort for column in self.columns if column.name == name), None)
        return self.id if found is None else found


@dataclass(frozen=True, slots=True)
class Query:
    """Rows of a table. An index serves the conditions `narrow`, but not those of `filters`."""

    sort: str
    limit: int
    narrow: Sequence[Condition] = ()
    filters: Sequence[Condition] = ()
    since: datetime | None = None
    until: datetime | None = None
    after: uuid.UUID | None = None
    place: tuple[Any, ...] | None = None
    """The `Page.place` of the previous page. Without it, the row `after` is read for its values."""


@dataclass(frozen=True, slots=True)
class Page:
    """The rows found. `following` is the id after which the next page begins, and `place` its values that sort."""

    rows: Sequence[Row[Any]]
    following: uuid.UUID | None = None
    place: tuple[Any, ...] | None = None
    total: int | None = None
    """None if the range has more than `SCAN_LIMIT` rows."""
    is_whole: bool = True
    """False if the scan limit ended the page."""


async def load(session: AsyncSession, table: Table, query: Query, *, counts: bool = True) -> Page:
    """Return a page of a list. An unknown column or a large range sorts by age."""
    scope = [*query.narrow, *_in_range(table, query)]
    large = select(table.id).where(*scope).order_by(table.id.desc()).offset(SCAN_LIMIT).limit(1)
    if await session.scalar(large) is not None:
        return await _load_by_age(session, table, query, scope)
    found = table.statement.where(*scope, *query.filters)
    total = None
    if counts:
        counted = found.with_only_columns(func.count(), maintain_column_froms=True)
        total = await session.scalar(counted) or 0
    by, after = table.ordered_by(query.sort), query.place
    place = (table.id,) if by is table.id else (by, table.id)
    if after is None and query.after is not None:
        values = table.statement.with_only_columns(*place, maintain_column_froms=True)
        row = (await session.execute(values.where(table.id == query.after))).one_or_none()
        if row is None:  # deleted, such as a job that was retried
            return Page([], total=total)
        after = tuple(row)
    descending = query.sort.startswith("-")
    ordered = keyset_order(found.add_columns(by.label("sorts")), place, after=after, descending=descending)
    rows = (await session.execute(ordered.limit(query.limit + 1))).all()
    page = _cut(rows, query.limit, total=total)
    last = page.rows[-1] if page.following else None
    return page if last is None else replace(page, place=(last.sorts, last.row_id)[-len(place) :])


async def _load_by_age(session: AsyncSession, table: Table, query: Query, scope: Sequence[Condition]) -> Page:
    descending = query.sort.startswith("-") or table.ordered_by(query.sort) is not table.id
    after = None if query.after is None else (query.after,)
    last, conditions = None, [*scope, *query.filters]
    if query.filters:
        scanned = keyset_order(
            select(table.id).where(*scope), (table.id,), after=after, descending=descending
        )
        last = await session.scalar(scanned.offset(SCAN_LIMIT - 1).limit(1))
        if last is not None:
            conditions.append(table.id >= last if descending else table.id <= last)
    found = table.statement.where(*conditions)
    ordered = keyset_order(found, (table.id,), after=after, descending=descending)
    page = _cut((await session.execute(ordered.limit(query.limit + 1))).all(), query.limit)
    if page.following is None and last is not None:
        return replace(page, following=last, is_whole=False)
    return page


async def export(database: Database, table: Table, query: Query) -> AsyncIterator[Sequence[Row[Any]]]:
    """Yield all rows of a query in parts, each read on its own. Set `until`, so that no row is added meanwhile."""
    more = True
    while more:
        async with database.readers() as session:
            page = await load(session, table, query, counts=False)
        yield page.rows
        query = replace(query, after=page.following, place=page.place)
        more = page.following is not None


def _in_range(table: Table, query: Query) -> Sequence[Condition]:
    since, until = query.since, query.until
    if table.time is not None:
        bounds: Sequence[Any] = (since, until)
        column: Any = table.time
    else:
        bounds, column = (since and first_id(since), until and first_id(until)), table.id
    first, end = bounds
    return [*([column >= first] if first else ()), *([column < end] if end else ())]


def _cut(rows: Sequence[Row[Any]], limit: int, *, total: int | None = None) -> Page:
    if len(rows) <= limit:
        return Page(rows, total=total)
    return Page(rows[:limit], rows[limit - 1].row_id, total=total)
