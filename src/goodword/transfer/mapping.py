"""A mapping of the columns of another system to the fields of records, in TOML.

ignore_other_columns = true
[user]
external_id = "Customer ID"
email = "Email"
[referral]
referee = "Email"
referrer = "Referred by"
[constants.referral]
status = "confirmed"
"""

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from goodword.transfer.records import TYPES

_TIMES = (
    "created_at",
    "verified_at",
    "signed_up_at",
    "starts_at",
    "ends_at",
    "expires_at",
    "activated_at",
    "retired_at",
    "deleted_at",
    "confirmed_at",
    "occurred_at",
)
_OPTIONS = frozenset(
    {"ignore_other_columns", "delimiter", "time_format", "time_zone", "constants", "optional", "values"}
)
READY = Path(__file__).with_name("maps")


class MappingInvalid(Exception):
    """The mapping cannot be used. The message says why."""


@dataclass(frozen=True, slots=True)
class Mapping:
    columns: dict[str, dict[str, str]]
    """The column of each field, by type of record."""
    constants: dict[str, dict[str, Any]]
    """The values of fields that have no column."""
    optional: dict[str, str]
    """By type of record, the field without whose value a line has no such record."""
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By column, what its values mean."""
    ignore_other_columns: bool = False
    delimiter: str = ","
    time_format: str | None = None
    time_zone: ZoneInfo | None = None

    def check_columns(self, header: Sequence[str]) -> None:
        """Raise `MappingInvalid` if the file has not the mapped columns, or others."""
        mapped = {column for columns in self.columns.values() for column in columns.values()}
        if missing := sorted(mapped - set(header)):
            raise MappingInvalid(f"The file has no column {missing[0]!r}, which the mapping names.")
        if not self.ignore_other_columns and (others := [name for name in header if name not in mapped]):
            raise MappingInvalid(
                f"The mapping does not name the column {others[0][:64]!r}. Set ignore_other_columns = true to ignore it."
            )

    def apply(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the values of each record of a line by field."""
        for kind, columns in self.columns.items():
            record = {name: self._value(name, column, row) for name, column in columns.items()}
            record = {name: value for name, value in record.items() if value not in (None, "")}
            if kind in self.optional and self.optional[kind] not in record:
                continue
            yield {"type": kind, **self.constants.get(kind, {}), **record}

    def _value(self, name: str, column: str, row: dict[str, Any]) -> Any:
        value = row.get(column)
        if column in self.values and value is not None:
            return self.values[column].get(str(value), value)
        if name in _TIMES and isinstance(value, str) and (self.time_format or self.time_zone):
            return self._time(value)
        return value

    def _time(self, text: str) -> str:
        """Return the time in the form of RFC 3339, or the text if it is none, which is then refused."""
        try:
            parse = datetime.fromisoformat
            moment = datetime.strptime(text, self.time_format) if self.time_format else parse(text)  # noqa: DTZ007
            moment = moment if moment.tzinfo else moment.replace(tzinfo=self.time_zone or UTC)
            return moment.astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            return text


def load(name: str) -> Mapping:
    """Read a mapping: a file, or one that comes with Goodword by its name. Raises `MappingInvalid`."""
    path = Path(name)
    if not path.exists() and (READY / f"{name}.toml").exists():
        path = READY / f"{name}.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        ready = ", ".join(sorted(file.stem for file in READY.glob("*.toml")))
        raise MappingInvalid(f"There is no file {name}. Ready mappings: {ready}.") from None
    except ValueError as error:
        raise MappingInvalid(f"{name} is not valid TOML: {error}") from None
    return _read(found)


def _read(found: dict[str, Any]) -> Mapping:
    _check_names(found, TYPES.keys() | _OPTIONS, "")
    constants, optional = found.get("constants", {}), found.get("optional", {})
    columns = {kind: found[kind] for kind in TYPES if kind in found}
    if not columns:
        raise MappingInvalid(f"A mapping needs one of the tables {', '.join(TYPES)}.")
    for kind, fields in (
        *columns.items(),
        *constants.items(),
        *((kind, {name: 0}) for kind, name in optional.items()),
    ):
        _check_names({kind: fields}, TYPES.keys(), "")
        _check_names(fields, TYPES[kind].model_fields.keys() - {"type"}, f" of {kind}")
    zone = found.get("time_zone")
    try:
        return Mapping(
            columns,
            constants,
            optional,
            found.get("values", {}),
            bool(found.get("ignore_other_columns", False)),
            str(found.get("delimiter", ",")),
            found.get("time_format"),
            ZoneInfo(zone) if zone else None,
        )
    except (KeyError, ValueError, TypeError):
        raise MappingInvalid(f"{zone!r} is not an IANA time zone.") from None


def _check_names(found: Iterable[str], known: Iterable[str], of: str) -> None:
    if not isinstance(found, dict):
        raise MappingInvalid(f"A table of the mapping{of} is not a table.")
    if unknown := sorted(set(found) - set(known)):
        raise MappingInvalid(f"The mapping names {unknown[0]!r}, which is no field{of}.")
