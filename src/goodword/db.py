"""The database: column types, engines, and the only place where transactions begin and end."""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, TypeVar

from fastapi import Depends, Request
from sqlalchemy import DateTime, Dialect, Executable, MetaData, Row, TypeDecorator, Uuid, event, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid_utils.compat import uuid7

LOCK_WAIT = 5.0
"""Seconds that a write waits for another one before it is told to come back."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time on both databases: SQLite has no time zones and would hand back naive ones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[type, Any]] = {datetime: UtcDateTime(), uuid.UUID: Uuid()}

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    created_at: Mapped[datetime]


Model = TypeVar("Model", bound=Base)


class Database:
    """Two engines on one database: transactions that write, and single reads without any."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            # One writer at a time is SQLite's rule. A pool of one makes writers queue in order here, where
            # waiting costs nothing, instead of polling for the lock of the file in as many threads.
            self.writing = create_async_engine(
                url, pool_size=1, max_overflow=0, pool_timeout=LOCK_WAIT, **_QUIET
            )
            event.listen(self.writing.sync_engine, "connect", _set_up_sqlite)
            event.listen(self.writing.sync_engine, "begin", begin_immediate)
            self.reading = create_async_engine(
                url, pool_size=4, max_overflow=0, pool_timeout=LOCK_WAIT, **_AUTOCOMMIT, **_QUIET
            )
            event.listen(self.reading.sync_engine, "connect", _set_up_sqlite)
        else:
            options: dict[str, Any] = {
                "pool_size": 10,
                "max_overflow": 0,
                "pool_timeout": 2.0,
                "connect_args": {
                    "timeout": 2,
                    "command_timeout": 10,
                    "server_settings": {
                        "application_name": "goodword",
                        "timezone": "UTC",  # date() of a timestamptz is then the day in UTC
                        "lock_timeout": f"{LOCK_WAIT:.0f}s",
                        "idle_in_transaction_session_timeout": "30s",
                    },
                },
            }
            self.writing = create_async_engine(url, **options, **_QUIET)
            self.reading = create_async_engine(url, **options, **_AUTOCOMMIT, **_QUIET)
        self.sessions = async_sessionmaker(self.writing, expire_on_commit=False)
        self.readers = async_sessionmaker(self.reading, expire_on_commit=False)

    async def rows(self, statement: Executable, **values: object) -> Sequence[Row[Any]]:
        """Rows of a single read, with no transaction around it: for statements built once, with `bindparam`."""
        async with self.reading.connect() as connection:
            return (await connection.execute(statement, values)).all()

    async def row(self, statement: Executable, **values: object) -> Row[Any] | None:
        async with self.reading.connect() as connection:
            return (await connection.execute(statement, values)).first()

    async def answers(self) -> bool:
        """Whether the database can be asked at all."""
        try:
            await self.row(select(1))
        except (DBAPIError, PoolTimeout, OSError):
            return False
        return True

    async def close(self) -> None:
        await self.writing.dispose()
        await self.reading.dispose()


# A statement's values are addresses and hashes: no error text and so no log may show them.
_QUIET: Mapping[str, Any] = {"hide_parameters": True}
_AUTOCOMMIT: Mapping[str, Any] = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN is a deferred one: see `begin_immediate`
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA busy_timeout = {int(LOCK_WAIT * 1000)}")
    cursor.close()


def begin_immediate(connection: Any) -> None:
    # A deferred transaction that reads first and writes later fails at once when another wrote in between;
    # an immediate one waits for its turn. Single reads run on `Database.reading` and take no lock.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """One request, one transaction: commit when the endpoint returns, roll back when it raises.

    Nothing is begun before the first statement, so what is slow can come before it.
    """
    database: Database = request.app.state.database
    async with database.sessions.begin() as session:
        yield session


# scope="function": the commit comes before the answer leaves, so that a failed commit is never a 2xx.
Session = Annotated[AsyncSession, Depends(get_session, scope="function")]


async def get_reader(request: Request) -> AsyncIterator[AsyncSession]:
    """A session for looking only: every statement on its own, no transaction, no lock."""
    database: Database = request.app.state.database
    async with database.readers() as session:
        yield session


Reader = Annotated[AsyncSession, Depends(get_reader, scope="function")]


async def commit_before_error(session: AsyncSession) -> None:
    """Keep what was done although an error follows: a replayed refresh token must end its session."""
    await session.commit()


async def insert_if_absent(session: AsyncSession, model: type[Model], **values: object) -> Model | None:
    """Insert a row unless a unique rule refuses it; None then. A twin in flight is waited for.

    No savepoint and no exception: the transaction stays good, whoever wins the race.
    """
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = insert(model).values(**values).on_conflict_do_nothing().returning(model)
    return await session.scalar(statement)


def is_unique_violation(error: DBAPIError) -> bool:
    text = str(error.orig)
    return getattr(error.orig, "sqlstate", None) == "23505" or "UNIQUE constraint failed" in text


def is_lock_timeout(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) == "55P03" or "database is locked" in str(error.orig)
