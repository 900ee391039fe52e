"""Migrate the database schema, and check that it is current."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from goodword.config.settings import SettingsError
from goodword.db.database import Database
from goodword.db.engines import begin_immediate
from goodword.db.error_causes import NO_ANSWER, NOT_CURRENT, explain
from goodword.db.server_watch import ServerWatch

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent
_VERSION = text("SELECT version_num, oldest_code FROM alembic_version")
"""The revision of the schema, and the oldest one whose code may use it."""
LOCK = 0x600D_0D
"""Key of the PostgreSQL advisory lock that lets one process at a time migrate."""

Begin = Callable[[], AbstractAsyncContextManager[AsyncConnection]]

UNKNOWN_REVISION = (
    "This version of Goodword does not know the schema revision of the database ({revision}), and cannot use it. "
    "A newer version, or one from before the first release, created it. Run that version, or use an empty database."
)


class UnknownRevision(SettingsError):
    """The schema revision of the database is not one of this version."""


def head() -> str:
    """Return the revision that this version needs."""
    return _revisions()[-1]


def knows(revision: str) -> bool:
    """Return whether this version can use a database of this revision, or migrate it."""
    return revision in _revisions()


@cache
def _revisions() -> Sequence[str]:
    """Return the revisions that this version knows, in order, which is that of the file names."""
    return sorted(path.stem[:11] for path in (HERE / "versions").glob("2*.py"))


def titles() -> Mapping[str, str]:
    """Return the first line of each migration by its revision, in order."""
    from alembic.script import ScriptDirectory

    scripts = list(ScriptDirectory.from_config(make_config()).walk_revisions())
    return {script.revision: script.doc for script in reversed(scripts)}


async def is_current(database: Database) -> bool:
    """Return whether the database can be reached and has a schema that this version can use."""
    return await problem(database) is None


async def problem(database: Database) -> str | None:
    """Return why the database cannot be used, or None if it has a schema that this version can use.

    That is its own, or a newer one of which the database says that this version may use it.
    """
    try:
        row = await database.row(_VERSION)
    except PoolTimeout:
        return NO_ANSWER
    except (DBAPIError, OSError) as error:
        return explain(error) or NOT_CURRENT
    if row is None or row.version_num in _revisions()[:-1]:
        return NOT_CURRENT
    return None if row.oldest_code <= head() else UNKNOWN_REVISION.format(revision=row.version_num)


async def upgrade(url: str, revision: str = "head") -> str:
    """Migrate the schema up to `revision` in one transaction, and return its revision.

    A newer schema that this version can use stays as it is. Concurrent calls wait for each other. Raises
    `UnknownRevision` for one that this version cannot use, and `SettingsError` if the database cannot be used.
    """
    async with engine_for_migrations(url) as begin, begin() as connection:
        return await connection.run_sync(_upgrade, revision)


@asynccontextmanager
async def engine_for_migrations(url: str) -> AsyncIterator[Begin]:
    """Yield a function that begins a transaction. Those of other processes that migrate wait until it ends.

    Raises `SettingsError` if the database cannot be used.
    """
    watch = ServerWatch()
    is_sqlite = url.startswith("sqlite")
    arguments = {} if is_sqlite else {"async_creator_fn": watch.connect}
    engine = create_async_engine(url, connect_args=arguments)
    watching = asyncio.create_task(watch.watch())
    if is_sqlite:
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        event.listen(engine.sync_engine, "begin", begin_immediate)

    @asynccontextmanager
    async def begin() -> AsyncIterator[AsyncConnection]:
        async with engine.begin() as connection:
            if not is_sqlite:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
                # Alembic blocks the event loop, on a slow machine for longer than the watch waits for a connection.
                await watch.has_asked.wait()
            yield connection

    try:
        yield begin
    except (DBAPIError, OSError) as error:
        raise (SettingsError(reason) if (reason := explain(error)) else error) from None
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await engine.dispose()


def _upgrade(connection: Connection, revision: str) -> str:
    current = current_revision(connection)
    if current is not None and current not in _revisions():
        return current
    migrate(connection, revision)
    return head() if revision == "head" else revision


def current_revision(connection: Connection) -> str | None:
    """Return the revision of the schema, or None for an empty database.

    Raises `UnknownRevision` for one that this version cannot use.
    """
    # Importing Alembic takes a quarter of a second, so it is imported only to migrate.
    from alembic.migration import MigrationContext

    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in _revisions():
        try:
            oldest = connection.execute(_VERSION).one().oldest_code
        except DBAPIError:  # from before the first release
            oldest = None
        if oldest is None or oldest > head():
            raise UnknownRevision(UNKNOWN_REVISION.format(revision=current))
    return current


def migrate(connection: Connection, revision: str = "head") -> None:
    """Run the migrations up to `revision` in the transaction of the connection."""
    from alembic import command

    config = make_config()
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
