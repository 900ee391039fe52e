"""Spans of statements: their text, without the parameters."""

import re
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from goodword.telemetry import tracing

if TYPE_CHECKING:
    from opentelemetry.trace import Span

MAX_TEXT = 2_000
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+(\w+)")


def around(system: str, text: str) -> AbstractContextManager["Span | None"]:
    """Record a statement of a request or job."""
    if tracing.active.get() is None:
        return tracing.NOTHING
    attributes = {"db.system.name": system, "db.query.text": text[:MAX_TEXT]}
    return tracing.step(_name(text), attributes)


def record(engine: AsyncEngine) -> None:
    """Record the statements that SQLAlchemy sends."""
    system = engine.dialect.name

    def execute(cursor: Any, statement: str, parameters: Any, _context: Any) -> bool:
        with around(system, statement):
            cursor.execute(statement, parameters)
        return True

    def execute_many(cursor: Any, statement: str, parameters: Any, _context: Any) -> bool:
        with around(system, statement):
            cursor.executemany(statement, parameters)
        return True

    event.listen(engine.sync_engine, "do_execute", execute)
    event.listen(engine.sync_engine, "do_executemany", execute_many)


@lru_cache(1024)
def _name(text: str) -> str:
    """Return the operation and its table, as `SELECT users`."""
    table = _TABLE.search(text)
    return " ".join([text.split(maxsplit=1)[0].upper(), *(table.groups() if table else ())])
