"""CSV files (RFC 4180) for spreadsheets."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from starlette.responses import StreamingResponse

FORMULA = tuple("=+-@\t\r＝＋－＠")
"""The characters at the start of a cell that make a spreadsheet run it as a formula."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Excel reads UTF-8 only after it."""


def response(
    name: str, parts: AsyncIterator[Sequence[Sequence[object]]], *, now: datetime
) -> StreamingResponse:
    """Return the rows in `parts` as a file with a name and the date of `now`."""
    return StreamingResponse(
        _lines(parts),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}-{now:%Y-%m-%d}.csv"'},
    )


async def _lines(parts: AsyncIterator[Sequence[Sequence[object]]]) -> AsyncIterator[bytes]:
    yield BYTE_ORDER_MARK
    async for rows in parts:
        yield _encode([[_safe_cell(value) for value in row] for row in rows])


def _encode(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    # All cells are quoted, or a program that splits at ";" sees other cells.
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode()


def _safe_cell(value: object) -> object:
    """Return the value of a cell. A spreadsheet does not run it as a formula."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, str) and value.lstrip(" \n").startswith(FORMULA):
        return f"'{value}"
    return value
