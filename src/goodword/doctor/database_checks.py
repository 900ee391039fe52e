"""Checks of either database: it answers, its schema is that of this version, and nothing is missing."""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from goodword.db.error_causes import READ_ONLY
from goodword.doctor.findings import Check, Finding, Level, NotChecked, error, ok, warning
from goodword.doctor.installation import Installation
from goodword.tables import Base

LEAST_POSTGRES, LEAST_SQLITE = 15, (3, 35)
READ_SECONDS = 5.0
"""For reading all pages of a file."""


async def check_reachable(installation: Installation) -> Finding:
    if problem := await installation.database_problem():
        return error(problem)
    return ok("The database answers.")


async def check_version(installation: Installation) -> Finding:
    database = await installation.database()
    if database.is_sqlite:
        is_old, found = sqlite3.sqlite_version_info < LEAST_SQLITE, f"SQLite {sqlite3.sqlite_version}"
    else:
        row = await installation.row("SELECT current_setting('server_version_num')::integer / 10000 AS major")
        major = row.major if row else 0
        is_old, found = major < LEAST_POSTGRES, f"PostgreSQL {major}"
    return error(f"{found} is too old.") if is_old else ok(f"It is {found}.")


async def check_schema(installation: Installation) -> Finding:
    if problem := await installation.schema_problem():
        return error(problem)
    return ok("The schema is that of this version.")


async def check_writable(installation: Installation) -> Finding:
    database = await installation.migrated()
    state = await database.storage()
    return error(READ_ONLY) if state == "read_only" else ok("The database can be written.")


async def check_indexes(installation: Installation) -> Finding:
    database = await installation.migrated()
    if database.is_sqlite:
        rows = await installation.rows("SELECT name FROM sqlite_master WHERE type = 'index'")
    else:
        rows = await installation.rows(
            "SELECT relname AS name FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
            "WHERE indisvalid AND indisready AND pg_table_is_visible(indrelid)"
        )
    expected = {str(index.name) for table in Base.metadata.tables.values() for index in table.indexes}
    missing = sorted(expected - {row.name for row in rows})
    if missing:
        return warning(f"Missing or not valid: {', '.join(missing)}.")
    return ok("All indexes are there and valid.")


async def check_integrity(installation: Installation) -> Finding:
    file = installation.sqlite_file()
    found = await asyncio.to_thread(_quick_check, file)
    if found is None:
        raise NotChecked(f"the file cannot be read in {READ_SECONDS:.0f} seconds")
    return ok("The file is whole.") if found == "ok" else error("The file is damaged.")


def _quick_check(file: Path) -> str | None:
    """Return `ok`, or what is wrong; None if it takes too long."""
    until = time.monotonic() + READ_SECONDS
    try:
        with closing(sqlite3.connect(file)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > until, 10_000)
            [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
            return str(found)
    except sqlite3.DatabaseError as failed:
        return None if getattr(failed, "sqlite_errorname", "") == "SQLITE_INTERRUPT" else str(failed)


CHECKS: Sequence[Check] = (
    Check(
        id="database-reachable",
        title="The database answers",
        remedy="Start the database, and compare `GOODWORD_DATABASE_URL` with its address, user and password.",
        level=Level.ERROR,
        run=check_reachable,
    ),
    Check(
        id="database-version",
        title="The version of the database is supported",
        remedy="Upgrade PostgreSQL to 15 or newer, or SQLite to 3.35 or newer.",
        level=Level.ERROR,
        run=check_version,
    ),
    Check(
        id="database-writable",
        title="The database can be written",
        remedy="Connect to the primary, reset `default_transaction_read_only`, or correct the rights of the file.",
        level=Level.ERROR,
        run=check_writable,
    ),
    Check(
        id="schema-current",
        title="The schema is that of this version",
        remedy="Run `goodword migrate`. A newer schema needs the version that made it.",
        level=Level.ERROR,
        run=check_schema,
    ),
    Check(
        id="database-indexes",
        title="All indexes exist and are valid",
        remedy="`REINDEX` an index that is not valid. Create a missing one as its migration does.",
        level=Level.WARNING,
        run=check_indexes,
    ),
    Check(
        id="database-integrity",
        title="The SQLite file is whole",
        remedy="Stop the service, restore a backup, and test the disk.",
        level=Level.ERROR,
        run=check_integrity,
    ),
)
