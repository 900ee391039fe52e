"""Statements for the driver of PostgreSQL, without SQLAlchemy."""

from collections.abc import Mapping
from typing import Any

import asyncpg
from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncEngine


class CompiledRead:
    """A statement for the driver of PostgreSQL: its text, and its arguments in order."""

    def __init__(self, statement: Executable, engine: AsyncEngine) -> None:
        compiled = statement.compile(dialect=engine.dialect)  # type: ignore[attr-defined]
        self.text = str(compiled)
        # Literals have a value here; those of `bindparam` are required at each call.
        self._parameters = [
            (name, compiled.binds[name].value, compiled.binds[name].required) for name in compiled.positiontup
        ]

    def arguments(self, given: Mapping[str, object]) -> list[object]:
        return [
            given[name] if required or name in given else value for name, value, required in self._parameters
        ]


class Record(asyncpg.Record):  # type: ignore[misc]
    """A row with its columns as attributes, like those of SQLAlchemy."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None
