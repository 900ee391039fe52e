"""Keyset pagination: the position of a row in a list that is ordered by a time and an id."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

Query = TypeVar("Query", bound=Select[*tuple[Any, ...]])
Columns = Sequence[InstrumentedAttribute[Any] | ColumnElement[Any]]


class Position(NamedTuple):
    """The position of a row in a list ordered by time and id."""

    created_at: datetime
    id: uuid.UUID


def keyset_page(
    query: Query, columns: Columns, *, after: Any | None, limit: int, descending: bool = True
) -> Query:
    """Return `query` for the rows after a position, and one more than `limit`: it shows that a page follows."""
    return keyset_order(query, columns, after=after, descending=descending).limit(limit + 1)


def keyset_order(query: Query, columns: Columns, *, after: Any | None, descending: bool = True) -> Query:
    """Return `query` ordered by `columns`, for the rows after a position."""
    if after is not None:
        place = tuple_(*columns)
        query = query.where(place < after if descending else place > after)
    return query.order_by(*(column.desc() if descending else column for column in columns))
