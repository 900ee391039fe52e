"""What the lists of administrators share: filters in the address, sorting, pages of two sizes, and files."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.admin import listing, service
from goodword.admin.listing import Page, Query, Table
from goodword.admin.pages.access import admin_page, read_search
from goodword.admin.tables import Conditions
from goodword.db.keyset import Position
from goodword.languages import to_translate
from goodword.services import services_of
from goodword.sessions.cookies import Visitor
from goodword.web import csv_output
from goodword.web.html.rendering import link, see_other, translate_for
from goodword.web.paging import EPOCH

SIZES = (25, 100)
ONE_DAY, ONE_SECOND = timedelta(days=1), timedelta(seconds=1)
Find = Callable[[AsyncSession], Awaitable[Conditions]]
"""Returns the conditions of a list."""
DATE_INVALID = to_translate("Enter a date as year-month-day, such as 2026-03-31.")
RANGE_REVERSED = to_translate("This is before the first date.")


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What the address of a list asks for."""

    path: str
    table: Table
    filter_name: str
    """The parameter of the filter by a choice."""
    text: str = ""
    choice: str = ""
    since: date | None = None
    until: date | None = None
    sort: str = ""
    size: int = SIZES[0]
    wrong: Mapping[str, str] = field(default_factory=dict)
    """Texts of errors by field."""

    @property
    def has_filters(self) -> bool:
        return bool(self.text or self.choice or self.since or self.until)

    def parameters(self, **changes: object) -> str:
        """Return the query string of this list with changes, without defaults."""
        sort = "" if self.sort == self.table.default else self.sort
        values = {
            "q": self.text,
            self.filter_name: self.choice,
            "from": self.since,
            "to": self.until,
            "sort": sort,
            "size": "" if self.size == SIZES[0] else self.size,
        } | changes
        return urlencode({name: value for name, value in values.items() if value})

    def address(self, **changes: object) -> str:
        """Return the address of the first page of this list with changes."""
        query = self.parameters(**changes)
        return f"{self.path}?{query}" if query else self.path

    def file(self) -> str:
        """Return the address of the list as a CSV file, with the same filters and order."""
        return self.address().replace(self.path, f"{self.path}.csv", 1)

    def sorted_by(self, name: str) -> str:
        """Return the address that sorts by a column, or in the other direction if it does already."""
        return self.address(sort="-" + name if self.sort == name else name)

    def direction(self, name: str) -> str | None:
        """Return the value of `aria-sort` for a column."""
        return {name: "ascending", f"-{name}": "descending"}.get(self.sort)

    def query(self, conditions: Conditions, *, limit: int) -> Query:
        """Return the query of the list with these conditions."""
        narrow, filters = conditions
        since = datetime.combine(self.since, time(), UTC) if self.since else None
        until = datetime.combine(self.until + ONE_DAY, time(), UTC) if self.until else None
        return Query(self.sort, limit, narrow, filters, since, until)

    def __str__(self) -> str:
        return f"pages of {self.path} {self.parameters()}"


def read(
    request: Request, path: str, table: Table, *, choices: Collection[str] = (), filter_name: str = "status"
) -> ListRequest:
    """Return what a request asks for. Unknown choices, columns and sizes have their defaults."""
    asked = request.query_params
    (text, wrong), choice = read_search(request), asked.get(filter_name, "")
    since, until = (_read_date(request, name, wrong) for name in ("from", "to"))
    if since and until and until < since:
        wrong["to"] = translate_for(request, RANGE_REVERSED)
    sort, size = asked.get("sort", ""), asked.get("size", "")
    return ListRequest(
        link(request, path),
        table,
        filter_name,
        text,
        choice if choice in choices else "",
        since,
        until,
        sort if sort.removeprefix("-") in table.sortable() else table.default,
        next((one for one in SIZES if str(one) == size), SIZES[0]),
        wrong,
    )


def _read_date(request: Request, name: str, wrong: dict[str, str]) -> date | None:
    text = request.query_params.get(name, "").strip()
    with suppress(ValueError):
        found = date.fromisoformat(text) if text else None
        # The day after it must exist, and its time must fit the id of a row.
        if found is None or EPOCH.year <= found.year < date.max.year:
            return found
    wrong[name] = translate_for(request, DATE_INVALID)
    return None


async def load(
    request: Request, session: AsyncSession, asked: ListRequest, find: Find
) -> tuple[Page, str | None]:
    """Return a page of a list, and the cursor of the next one."""
    if asked.wrong:
        return Page([], total=0), None
    cursors = services_of(request).cursors
    position = cursors.read(request.query_params.get("cursor"), of=str(asked))
    query = asked.query(await find(session), limit=asked.size)
    page = await listing.load(session, asked.table, replace(query, after=position and position.id))
    following = Position(EPOCH, page.following) if page.following else None
    return page, cursors.write(following, of=str(asked))


def is_file(request: Request) -> bool:
    """Return whether the request is for the file of a list."""
    path: str = request.scope["path"]
    return path.endswith(".csv")


async def send_file(request: Request, asked: ListRequest, find: Find, *, now: datetime) -> Response:
    """Return a list as a CSV file (RFC 4180) with all rows that match. The audit log records it.

    A filter with an error leads to the page, which shows the error.
    """
    if asked.wrong:
        return see_other(f"{asked.path}?{request.url.query}")
    async with services_of(request).database.transaction(request.scope["state"]) as session:
        service.record_export(session, asked.table.name)
        query = asked.query(await find(session), limit=listing.EXPORT_ROWS)
    end = now + ONE_SECOND
    query = replace(query, until=min(query.until or end, end))
    return csv_output.response(asked.table.name, _rows(request, asked.table, query), now=now)


async def _rows(request: Request, table: Table, query: Query) -> AsyncIterator[Sequence[Sequence[object]]]:
    yield [[translate_for(request, column.label) for column in table.columns]]
    cells = [column.cell for column in table.columns]
    async for rows in listing.export(services_of(request).database, table, query):
        yield [[cell(row) for cell in cells] for row in rows]


class Heading(NamedTuple):
    """The head of a column on a page."""

    label: str
    is_number: bool
    address: str | None
    """The address that sorts by this column, or None if the list cannot."""
    direction: str | None


async def show(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    template: str,
    asked: ListRequest,
    find: Find,
    *,
    records_search: bool = False,
    **values: Any,
) -> Response:
    """Render the page of a list. With `records_search`, the audit log records the view."""
    page, following = await load(request, session, asked, find)
    sortable = asked.table.sortable() if page.total is not None else [asked.table.by_age()]
    columns = {
        column.name: Heading(
            translate_for(request, column.label),
            column.is_number,
            asked.sorted_by(column.name) if column.name in sortable else None,
            asked.direction(column.name),
        )
        for column in asked.table.columns
        if column.is_shown
    }
    if records_search and not asked.wrong:
        service.record_search(session, found=len(page.rows))
    return await admin_page(
        request,
        session,
        visitor,
        template,
        asked=asked,
        found=page,
        following=following,
        columns=columns,
        scan_limit=listing.SCAN_LIMIT,
        sizes=SIZES,
        **values,
    )
