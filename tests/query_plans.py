"""The plans of the statements of a service, on both databases."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from goodword.services import Services

SMALL_TABLES = "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off"
"""PostgreSQL would read a small table as a whole. Then it does so only if no index serves."""


@contextmanager
def recorded(services: Services) -> Iterator[dict[str, Any]]:
    """Collect the statements of transactions within the block that read, change or delete rows."""
    statements: dict[str, Any] = {}

    def add(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")) and " FROM pg_" not in statement:
            statements[statement] = parameters

    engine = services.database.write_engine.sync_engine
    event.listen(engine, "before_cursor_execute", add)
    yield statements
    event.remove(engine, "before_cursor_execute", add)


async def slow_parts(services: Services, statements: Mapping[str, Any]) -> list[Any]:
    """Return the parts of plans that read a whole table or sort."""
    if services.database.is_sqlite:
        slow = ("SCAN", "USE TEMP B-TREE")
        parts = await plans(services, statements)
        return [part for part in parts if part.startswith(slow) and part != "SCAN CONSTANT ROW"]
    return [node for node in await plans(services, statements) if _reads_all_or_sorts(node)]


async def plans(services: Services, statements: Mapping[str, Any]) -> list[Any]:
    """Return the parts of the plans: texts of SQLite, or nodes of PostgreSQL."""
    found: list[Any] = []
    async with services.database.transaction() as session:
        connection = await session.connection()
        for statement, parameters in statements.items():
            if services.database.is_sqlite:
                plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                found += [row.detail for row in plan]
            else:
                for setting in SMALL_TABLES.split("; "):
                    await connection.exec_driver_sql(setting)
                plan = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
                document = plan.scalar_one()
                document = json.loads(document) if isinstance(document, str) else document
                found += _nodes(document[0]["Plan"])
    return found


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _reads_all_or_sorts(node: Mapping[str, Any]) -> bool:
    kind = node["Node Type"]
    return kind in ("Seq Scan", "Sort") or (kind.endswith("Index Scan") and "Index Cond" not in node)
