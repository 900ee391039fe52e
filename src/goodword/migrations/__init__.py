"""Migrate the database schema, and check that it is current."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine

from goodword.config.settings import SettingsError
from goodword.db.database import Database
from goodword.db.engines import begin_immediate
from goodword.db.error_causes import NO_ANSWER, NOT_CURRENT, explain
from goodword.db.server_watch import CONNECT_TIMEOUT, ServerWatch

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent
LOCK = 0x600D_0D
"""Key of the PostgreSQL advisory lock that lets one process at a time migrate."""

UNKNOWN_REVISION = (
    "This version of Goodword does not know the schema revision of the database ({revision}). A newer version, or one "
    "from before the first release, created it. Run that version, or use an empty database."
)


class UnknownRevision(SettingsError):
    """The schema revision of the database is not one of this version."""


def head() -> str:
    """Return the revision that this version needs. File names sort in the order of revisions."""
    return max(path.stem[:11] for path in (HERE / "versions").glob("2*.py"))


async def is_current(database: Database) -> bool:
    """Return whether the database can be reached and has the schema of this version."""
    return await problem(database) is None


async def problem(database: Database) -> str | None:
    """Return why the database cannot be used, or None if it has the schema of this version."""
    try:
        row = await database.row(text("SELECT version_num FROM alembic_version"))
    except PoolTimeout:
        return NO_ANSWER
    except (DBAPIError, OSError) as error:
        return explain(error) or NOT_CURRENT
    return None if row is not None and row.version_num == head() else NOT_CURRENT


async def upgrade(url: str, revision: str = "head") -> None:
    """Migrate the schema up to `revision` in one transaction. Concurrent calls wait for each other.

    Raises `UnknownRevision` if the database has a revision that this version does not have, and `SettingsError` if it
    cannot be used.
    """
    watch = ServerWatch()
    is_sqlite = url.startswith("sqlite")
    arguments = {} if is_sqlite else {"async_creator_fn": watch.connect, "timeout": CONNECT_TIMEOUT}
    engine = create_async_engine(url, connect_args=arguments)
    watching = asyncio.create_task(watch.watch())
    if is_sqlite:
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        event.listen(engine.sync_engine, "begin", begin_immediate)
    try:
        async with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            await connection.run_sync(_upgrade, revision)
    except (DBAPIError, OSError) as error:
        raise (SettingsError(reason) if (reason := explain(error)) else error) from None
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await engine.dispose()


def _upgrade(connection: Connection, revision: str) -> None:
    # Importing Alembic takes a quarter of a second, so it is imported only to migrate.
    from alembic import command
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = make_config()
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise UnknownRevision(UNKNOWN_REVISION.format(revision=current))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def make_config() -> "Config":
    """Return the configuration of Alembic."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    return config


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA busy_timeout = 60000")
    # Foreign keys stay off: Alembic alters a table of SQLite by copying and dropping it.
    cursor.close()
