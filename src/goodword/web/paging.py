"""Keyset pagination. A cursor holds the position of the last row and is signed for one list."""

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Protocol, TypeVar

from fastapi import Query
from pydantic import Field

from goodword.crypto import Signer
from goodword.db.keyset import Position
from goodword.errors import BadRequest
from goodword.web.schemas import from_digits

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Placed(Protocol):
    @property
    def created_at(self) -> datetime: ...
    @property
    def id(self) -> uuid.UUID: ...


Row = TypeVar("Row", bound=Placed)

Limit = Annotated[int, Field(ge=1, le=100), from_digits, Query(description="Maximum number of items.")]
Cursor = Annotated[
    str | None, Query(description="`next_cursor` of the previous page. Omit it for the first page.")
]


class CursorInvalid(BadRequest):
    code, detail = "cursor_invalid", "This cursor is not valid for this list. Start from the first page."


def place(row: Placed) -> Position:
    """Return the position of a row in a list by creation time."""
    return Position(row.created_at, row.id)


class Cursors:
    """Writes and reads cursors. A cursor is opaque and valid for one list: its owner, filters and order."""

    def __init__(self, key: bytes) -> None:
        self._signer = Signer(key, "gwp_")

    def write(self, position: Position | None, *, of: str) -> str | None:
        """Return the cursor of a position, or None for None."""
        if position is None:
            return None
        microseconds = (position.created_at - EPOCH) // timedelta(microseconds=1)
        return self._signer.sign(microseconds.to_bytes(8) + position.id.bytes, of)

    def read(self, cursor: str | None, *, of: str) -> Position | None:
        """Return the position in a cursor. Raises `CursorInvalid` if it was not signed for this list."""
        if cursor is None:
            return None
        body = self._signer.verify(cursor, of)
        if body is None:
            raise CursorInvalid
        return Position(EPOCH + timedelta(microseconds=int.from_bytes(body[:8])), uuid.UUID(bytes=body[8:]))

    def cut(
        self, rows: Sequence[Row], limit: int, *, of: str, place: Callable[[Row], Position] = place
    ) -> tuple[Sequence[Row], str | None]:
        """Return the first `limit` rows and, if there are more rows, the cursor of the next page."""
        if len(rows) <= limit:
            return rows, None
        return rows[:limit], self.write(place(rows[limit - 1]), of=of)
