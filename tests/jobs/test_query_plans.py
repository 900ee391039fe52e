"""The statements of the worker find their rows by an index, however many rows the tables have."""

import json
import uuid
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from goodword.jobs import service
from goodword.jobs.service import ClaimedJob
from goodword.retention import HANDLERS
from people import join

SMALL_TABLES = "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off"
"""PostgreSQL would read a small table as a whole. Then it does so only if no index serves."""


@pytest.fixture
def services(app):
    return app.state.services


@contextmanager
def recorded(services):
    """Collect the statements of transactions within the block that read, change or delete rows."""
    statements = {}

    def add(_connection, _cursor, statement, parameters, _context, _many):
        if statement.startswith(("SELECT", "UPDATE", "DELETE")) and " FROM pg_" not in statement:
            statements[statement] = parameters

    engine = services.database.write_engine.sync_engine
    event.listen(engine, "before_cursor_execute", add)
    yield statements
    event.remove(engine, "before_cursor_execute", add)


async def slow_parts(services, statements):
    """Return the parts of plans that read a whole table or sort."""
    found = []
    async with services.database.transaction() as session:
        connection = await session.connection()
        for statement, parameters in statements.items():
            if services.database.is_sqlite:
                plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                parts = [row.detail for row in plan]
                slow = ("SCAN", "USE TEMP B-TREE")
                found += [part for part in parts if part.startswith(slow) and part != "SCAN CONSTANT ROW"]
            else:
                for setting in SMALL_TABLES.split("; "):
                    await connection.exec_driver_sql(setting)
                plan = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
                document = plan.scalar_one()
                document = json.loads(document) if isinstance(document, str) else document
                found += [node for node in nodes(document[0]["Plan"]) if reads_all_or_sorts(node)]
    return found


def nodes(plan):
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def reads_all_or_sorts(node):
    kind = node["Node Type"]
    return kind in ("Seq Scan", "Sort") or (kind.endswith("Index Scan") and "Index Cond" not in node)


def job(kind):
    return ClaimedJob(uuid.uuid4(), kind, {}, None, "me", 1)


@pytest.mark.parametrize("kind", HANDLERS)
async def test_expired_rows_are_found_by_an_index(api, services, clock, kind):
    await join(api, "alice")
    clock.forward(days=400)

    with recorded(services) as statements:
        await HANDLERS[kind](services, job(kind))

    assert statements
    assert await slow_parts(services, statements) == []


async def test_jobs_are_claimed_by_an_index(services, clock):
    with recorded(services) as statements:
        async with services.database.transaction() as session:
            service.enqueue(session, "greet", {}, now=clock())
        async with services.database.transaction() as session:
            first = await session.execute(service.first_due(("greet", "tidy")), {"now": clock()})
            work = await service.claim(session, "greet", worker_id="me", now=clock())
            await service.finish(session, work, now=clock())

    assert [at is None for at in first.one()] == [False, True]
    assert await slow_parts(services, statements) == []
