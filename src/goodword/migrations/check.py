"""Find out what the pending migrations block, and for how long, without changing the database."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from goodword import migrations
from goodword.db import sqlite_copy

SCRATCH = "goodword_migrate_check"
"""A schema of PostgreSQL with the tables, but without rows. Pending migrations run there."""
SAMPLE_ROWS = 300_000

Blocked = Literal["reads and writes", "writes"]
BLOCKED: dict[str, Blocked] = {
    "AccessExclusiveLock": "reads and writes",
    "ExclusiveLock": "writes",
    "ShareRowExclusiveLock": "writes",
    "ShareLock": "writes",
}
"""What a table lock of PostgreSQL blocks, strongest first (PostgreSQL 18, 13.3.1 Table-Level Locks)."""

_LOCKS = text(
    "SELECT DISTINCT relation::bigint AS id, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'"
)
_PASSES = text("SELECT relid::bigint AS id, seq_scan FROM pg_stat_xact_user_tables WHERE seq_scan > 0")
"""How often the transaction has read a whole table: to build an index, to check a constraint, to write it again."""
_TABLES = text(
    "SELECT oid::bigint AS id, relname, greatest(reltuples, 0)::bigint AS rows, pg_table_size(oid) AS bytes "
    "FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
)
_SAMPLE = text(
    "CREATE TEMPORARY TABLE goodword_sample ON COMMIT DROP AS "
    "SELECT gen_random_uuid() AS id, repeat('x', 200) AS filler FROM generate_series(1, :rows)"
)


class TableLock(NamedTuple):
    """A table that the migrations lock."""

    table: str
    rows: int
    bytes: int
    blocked: Blocked


@dataclass(frozen=True)
class Report:
    """What the pending migrations would do."""

    revision: str | None
    """Of the schema. None for an empty database."""
    pending: Sequence[tuple[str, str]] = ()
    """Revision and title of each migration."""
    locks: Sequence[TableLock] = ()
    """On PostgreSQL. A migration of SQLite blocks all writes."""
    seconds: float = 0
    """How long the transaction takes: measured on a copy of SQLite, estimated from the sizes for PostgreSQL."""
    oldest_code: str = ""
    """The oldest revision whose code can use the new schema."""


async def check(url: str) -> Report:
    """Report what the pending migrations would do. Raises as `migrations.upgrade` does.

    SQLite: migrate a copy of the database. PostgreSQL: migrate empty tables in a schema of its own, see which locks
    the migrations take and how often they read each table, and compare that with the sizes of the real tables. The
    user of the database needs the privilege CREATE on it.
    """
    async with migrations.engine_for_migrations(url) as begin, begin() as connection:
        revision = await connection.run_sync(migrations.current_revision)
    pending = [(one, title) for one, title in migrations.titles().items() if one > (revision or "")]
    if not pending:
        return Report(revision)
    if file := make_url(url).database if url.startswith("sqlite") else None:
        return await _migrate_copy(Path(file), revision, pending)
    return await _rehearse(url, revision, pending)


async def _migrate_copy(file: Path, revision: str | None, pending: Sequence[tuple[str, str]]) -> Report:
    with TemporaryDirectory(dir=file.parent) as folder:
        copy = Path(folder) / file.name
        await asyncio.to_thread(sqlite_copy.copy, file, copy)
        begun = time.monotonic()
        url = f"sqlite+aiosqlite:///{copy}"
        async with migrations.engine_for_migrations(url) as begin, begin() as connection:
            await connection.run_sync(migrations.migrate)
            oldest = await connection.run_sync(_oldest_code)
        return Report(revision, pending, seconds=time.monotonic() - begun, oldest_code=oldest)


async def _rehearse(url: str, revision: str | None, pending: Sequence[tuple[str, str]]) -> Report:
    async with migrations.engine_for_migrations(url) as begin:
        async with begin() as connection:
            real = {row.relname: row for row in await connection.execute(_TABLES)}
            bytes_per_second = await connection.run_sync(_measure_speed)
        # Committed, because the creator of a table holds every lock on it until the end of its transaction.
        async with begin() as connection:
            await connection.run_sync(_create_scratch, revision)
        async with begin() as connection:
            empty = await connection.run_sync(_enter_scratch)
            await connection.run_sync(migrations.migrate)
            locks = [(row.id, row.mode) for row in await connection.execute(_LOCKS)]
            passes = {row.id: row.seq_scan for row in await connection.execute(_PASSES)}
            oldest = await connection.run_sync(_oldest_code)
            await connection.execute(text(f"DROP SCHEMA {SCRATCH} CASCADE"))
    tables = {table: real[name] for table, name in empty.items() if name in real}
    modes: dict[int, set[str]] = {}
    for table, mode in locks:
        modes.setdefault(table, set()).add(mode)
    return Report(
        revision,
        pending,
        locks=[
            TableLock(row.relname, row.rows, row.bytes, blocked)
            for table, row in sorted(tables.items(), key=lambda item: item[1].relname)
            if (blocked := next((BLOCKED[mode] for mode in BLOCKED if mode in modes.get(table, ())), None))
        ],
        seconds=sum(passes.get(table, 0) * row.bytes for table, row in tables.items()) / bytes_per_second,
        oldest_code=oldest,
    )


def _create_scratch(connection: Connection, revision: str | None) -> None:
    connection.execute(text(f"DROP SCHEMA IF EXISTS {SCRATCH} CASCADE"))  # of a check that was killed
    connection.execute(text(f"CREATE SCHEMA {SCRATCH}"))
    _enter_scratch(connection)
    if revision:
        migrations.migrate(connection, revision)


def _enter_scratch(connection: Connection) -> dict[int, str]:
    """Let the transaction see only the schema of the check, and return the names of its tables."""
    connection.execute(text(f"SET LOCAL search_path TO {SCRATCH}"))
    connection.dialect.default_schema_name = SCRATCH  # where Alembic looks for its table
    return {row.id: row.relname for row in connection.execute(_TABLES)}


def _measure_speed(connection: Connection) -> float:
    """Return how many bytes of a table this server can read and index in a second."""
    connection.execute(_SAMPLE, {"rows": SAMPLE_ROWS})
    size = connection.scalar(text("SELECT pg_table_size('goodword_sample')"))
    return float(size or 0) / max(_time_index(connection) for _ in range(2))


def _time_index(connection: Connection) -> float:
    begun = time.monotonic()
    connection.execute(text("CREATE INDEX ON goodword_sample (id)"))
    return time.monotonic() - begun


def _oldest_code(connection: Connection) -> str:
    return str(connection.scalar(text("SELECT oldest_code FROM alembic_version")))
