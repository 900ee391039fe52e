"""Read the lines of a file to import: NDJSON or CSV, line by line."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from goodword.transfer import records
from goodword.transfer.fields import Refusal
from goodword.transfer.mapping import Mapping
from goodword.transfer.records import TYPES, Record

MAX_LINE = 128 * 1024
BOM = b"\xef\xbb\xbf"
ESCAPED = tuple("=+-@'\t\r")
"""What a cell cannot begin with in a spreadsheet without an apostrophe in front, and the apostrophe."""
FILES = {f"{kind}s.csv": kind for kind in TYPES}


class Line(NamedTuple):
    """What was read from a line of the file, and where the next one begins."""

    number: int
    records: list[Record | Refusal]
    end: int
    file: str | None = None
    """In a folder."""


class FileUnreadable(Exception):
    """The file as a whole cannot be imported."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of an import."""

    path: Path
    is_csv: bool
    type: str | None = None
    """Of all its records."""
    name: str | None = None


def sources(path: Path, mapping: Mapping | None) -> list[Source]:
    """Return the files of an import. Raises `FileUnreadable`."""
    if not path.exists():
        raise FileUnreadable(f"There is no file {path}.")
    if not path.is_dir():
        return [Source(path, path.suffix.lower() == ".csv")]
    if mapping is not None:
        raise FileUnreadable("A mapping is for one file, not for a folder.")
    found = [Source(path / name, True, kind, name) for name, kind in FILES.items() if (path / name).exists()]
    if not found:
        raise FileUnreadable(f"The folder {path} has none of {', '.join(FILES)}.")
    return found


def read(
    file: IO[bytes], source: Source, mapping: Mapping | None, *, start: int, number: int
) -> Iterator[Line]:
    """Yield the lines of an open file from a position. Raises `FileUnreadable`."""
    reader = _Reader(file, number)
    if source.is_csv:
        yield from _read_csv(reader, source, mapping, start)
    else:
        reader.seek(start)
        for line in reader:
            if line is None:
                found: list[Record | Refusal] = [Refusal("", "line_too_long")]
            elif line.isspace():
                continue
            else:
                found = _of_json(line, mapping)
            yield Line(reader.number, found, reader.end, source.name)


def _of_json(line: bytes, mapping: Mapping | None) -> list[Record | Refusal]:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return [Refusal("", "utf8_invalid")]
    if mapping is None:
        return [records.read_json(line)]
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return [Refusal("", "json_invalid")]
    if not isinstance(values, dict):
        return [Refusal("", "json_invalid")]
    return [records.read(record) for record in mapping.apply(values)]


class _Reader:
    """The lines of a binary file, None for one that is too long, with the number of the last and its end."""

    def __init__(self, file: IO[bytes], number: int) -> None:
        self._file, self.number, self.end = file, number, 0

    def seek(self, start: int) -> None:
        if start:
            self._file.seek(start)
            self.end = start

    def __iter__(self) -> Iterator[bytes | None]:
        while line := self._file.readline(MAX_LINE + 1):
            is_first = self.end == 0
            self.end += len(line)
            self.number += 1
            if len(line) > MAX_LINE:
                while not line.endswith(b"\n") and (line := self._file.readline(MAX_LINE)):
                    self.end += len(line)
                yield None
            else:
                yield line.removeprefix(BOM) if is_first else line


def _read_csv(reader: _Reader, source: Source, mapping: Mapping | None, start: int) -> Iterator[Line]:
    csv.field_size_limit(MAX_LINE)
    too_long = False

    def texts() -> Iterator[str]:
        nonlocal too_long
        for line in reader:
            too_long = too_long or line is None
            yield "\n" if line is None else line.decode(errors="surrogateescape")

    number, reader.number = reader.number, 0
    parsed = csv.reader(texts(), delimiter=mapping.delimiter if mapping else ",")
    header = next(parsed, [])
    _check_header(header, source, mapping)
    if start:
        reader.seek(start)
        reader.number = number
    while True:
        began, too_long = reader.number + 1, False
        try:
            row = next(parsed)
        except StopIteration:
            return
        except csv.Error:
            row, found = [], [Refusal("", "csv_invalid")]
        else:
            if not row and not too_long:
                continue
            found = [Refusal("", "line_too_long")] if too_long else _of_row(header, row, source, mapping)
        yield Line(began, list(found), reader.end, source.name)


def _check_header(header: list[str], source: Source, mapping: Mapping | None) -> None:
    if len(set(header)) != len(header):
        raise FileUnreadable(f"A column of {source.path.name} is repeated.")
    if mapping is not None:
        mapping.check_columns(header)
        return
    types = [source.type] if source.type else list(TYPES)
    known = {name for kind in types for name in TYPES[kind].model_fields}
    if unknown := [name for name in header if name not in known]:
        raise FileUnreadable(
            f"{source.path.name} has the unknown column {unknown[0][:64]!r}. Use a mapping to name or ignore columns."
        )
    if source.type is None and "type" not in header:
        raise FileUnreadable(f"{source.path.name} needs a column `type`, or a mapping.")


def _of_row(header: list[str], row: list[str], source: Source, mapping: Mapping | None) -> list[Any]:
    if len(row) != len(header):
        return [Refusal("", "csv_columns")]
    values = {name: _unescape(cell) for name, cell in zip(header, row, strict=True) if cell}
    if any("\udc80" <= character <= "\udcff" for cell in row for character in cell):
        return [Refusal("", "utf8_invalid")]
    if mapping is not None:
        return [records.read(record) for record in mapping.apply(values)]
    if source.type:
        values.setdefault("type", source.type)
    return [records.read(values)]


def escape(cell: str) -> str:
    """Return a cell that no spreadsheet runs as a formula. `_unescape` reverses it."""
    if cell[:1] == "'":
        return f"'{cell}" if cell[1:2] in ESCAPED else cell
    return f"'{cell}" if cell.startswith(ESCAPED) else cell


def _unescape(cell: str) -> str:
    return cell[1:] if cell[0] == "'" and cell[1:].startswith(ESCAPED) else cell
