"""Keyset pages: a cursor holds the place of the last row, and a MAC that binds it to its list."""

import base64
import binascii
import hmac
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Protocol, TypeVar

from fastapi import Query

from goodword.crypto import hmac_of
from goodword.db.keyset import Position
from goodword.errors import BadRequest
from goodword.web.schemas import QueryInt

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
POSITION_BYTES = 24
MAC_BYTES = 16


class Placed(Protocol):
    @property
    def created_at(self) -> datetime: ...
    @property
    def id(self) -> uuid.UUID: ...


Row = TypeVar("Row", bound=Placed)

Limit = Annotated[QueryInt, Query(ge=1, le=100, description="How many items to answer at most.")]
Cursor = Annotated[
    str | None, Query(description="`next_cursor` of the page before; none for the first page.")
]


class CursorInvalid(BadRequest):
    code, detail = (
        "cursor_invalid",
        "This cursor is not one of ours for this list. Start from the first page.",
    )


def place(row: Placed) -> Position:
    """Return the position of a row in a list by creation time."""
    return Position(row.created_at, row.id)


class Cursors:
    """Writes and reads cursors. They are opaque, and good for the one list (owner, filter, order) they are of."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def write(self, position: Position, *, of: str) -> str:
        microseconds = (position.created_at - EPOCH) // timedelta(microseconds=1)
        return self._sealed(microseconds.to_bytes(8) + position.id.bytes, of)

    def read(self, cursor: str | None, *, of: str) -> Position | None:
        """Raises `CursorInvalid` for one that was cut, edited, or made for another list."""
        if cursor is None:
            return None
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise CursorInvalid from None
        body = raw[:POSITION_BYTES]
        # The text is compared, not its bytes: several texts of Base64 stand for the same bytes.
        if not hmac.compare_digest(cursor, self._sealed(body, of)):
            raise CursorInvalid
        return Position(EPOCH + timedelta(microseconds=int.from_bytes(body[:8])), uuid.UUID(bytes=body[8:]))

    def cut(
        self, rows: Sequence[Row], limit: int, *, of: str, place: Callable[[Row], Position] = place
    ) -> tuple[Sequence[Row], str | None]:
        """A page of `limit` rows, and the cursor of the next one, from rows fetched with one to spare."""
        if len(rows) <= limit:
            return rows, None
        return rows[:limit], self.write(place(rows[limit - 1]), of=of)

    def _sealed(self, body: bytes, of: str) -> str:
        tag = hmac_of(self._key, body, of.encode())[:MAC_BYTES]
        return base64.urlsafe_b64encode(body + tag).decode().rstrip("=")
