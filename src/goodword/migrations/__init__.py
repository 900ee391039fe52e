"""The schema and its history: bring a database up to date, and tell whether it is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine

from goodword.db.database import Database
from goodword.db.engines import begin_immediate

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent
LOCK = 0x600D_0D
"""Advisory lock of PostgreSQL under which one process migrates while others wait."""

NOT_CURRENT = (
    "The database is out of reach or its schema is not current. Run `goodword migrate`, or `serve --migrate`."
)


def head() -> str:
    """The revision that this version of the program needs: the files are named in order."""
    return max(path.stem[:11] for path in (HERE / "versions").glob("2*.py"))


async def is_current(database: Database) -> bool:
    """Whether the database can be asked and has the schema of this version."""
    try:
        row = await database.row(text("SELECT version_num FROM alembic_version"))
    except (DBAPIError, PoolTimeout, OSError):
        return False
    return row is not None and row.version_num == head()


async def upgrade(url: str, revision: str = "head") -> None:
    """Bring the schema up to `revision`, in one transaction. Several at once wait for one another."""
    await _run(url, "upgrade", revision)


async def downgrade(url: str, revision: str) -> None:
    await _run(url, "downgrade", revision)


async def _run(url: str, command: str, revision: str) -> None:
    engine = create_async_engine(url)
    if url.startswith("sqlite"):
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        event.listen(engine.sync_engine, "begin", begin_immediate)
    try:
        async with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            await connection.run_sync(_alembic, command, revision)
    finally:
        await engine.dispose()


def _alembic(connection: Connection, command: str, revision: str) -> None:
    from alembic import command as commands  # a quarter of a second that a start without migrations saves

    config = make_config()
    config.attributes["connection"] = connection
    getattr(commands, command)(config, revision)


def make_config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(HERE))
    return config


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA busy_timeout = 60000")
    # Foreign keys stay off here: a table that SQLite cannot alter is copied and dropped.
    cursor.close()
