"""The database: column types, engines, and the only place where transactions begin and end."""

import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Protocol, TypeVar

import asyncpg
from fastapi import Depends, Request
from sqlalchemy import (
    DateTime,
    Dialect,
    Executable,
    MetaData,
    Row,
    Select,
    TypeDecorator,
    Uuid,
    event,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError, TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session as SyncSession, mapped_column
from uuid_utils.compat import uuid7

LOCK_WAIT = 5.0
"""Seconds that a write waits for another one before it is told to come back."""
POOL_WAIT = 2.0
READ_LIMIT = 5.0
"""Seconds that a single read may take on PostgreSQL."""


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


class Caches(Protocol):
    """What keeps copies of rows, and wants to know which of them are outdated by a transaction."""

    async def before_commit(self, session: AsyncSession, names: Iterable[str]) -> None: ...

    def after_commit(self, names: Iterable[str]) -> None: ...


class Database:
    """Two engines on one database: transactions that write, and single reads without any.

    With `pooler` there is a PgBouncer in transaction mode before PostgreSQL: no statement is prepared for the
    next transaction, which may be on another connection.
    """

    def __init__(self, url: str, *, pooler: bool = False) -> None:
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
            options = {
                "pool_size": 10,
                "max_overflow": 0,
                "pool_timeout": POOL_WAIT,
                "connect_args": _pooled() if pooler else _direct(),
            }
            self.writing = create_async_engine(url, **options, **_QUIET)
            self.reading = create_async_engine(
                url, **options, **_AUTOCOMMIT, **_QUIET, pool_reset_on_return=None
            )
            if pooler:
                event.listen(self.writing.sync_engine, "begin", _limit_lock_wait)
            for engine in (self.writing, self.reading):
                event.listen(engine.sync_engine, "checkout", _refuse_closed)
        self.info: dict[str, Any] = {}
        """What every session finds in its `info`."""
        self.sessions = async_sessionmaker(self.writing, expire_on_commit=False, info=self.info)
        self.readers = async_sessionmaker(self.reading, expire_on_commit=False)
        self._reads: dict[Executable, _Read] = {}

    def watched_by(self, caches: Caches) -> None:
        """Let `caches` know of every transaction that outdates a copy of theirs."""
        self.info[_CACHES] = caches

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session with one transaction: committed at the end of the block, rolled back when it raises."""
        async with self.sessions.begin() as session:
            yield session
            await _tell_caches(session)

    async def rows(self, statement: Executable, **values: object) -> Sequence[Row[Any]]:
        """Rows of a single read, with no transaction around it: for statements built once, with `bindparam`.

        On PostgreSQL the driver is asked itself, in half the time that it takes by way of the toolkit.
        """
        if self.is_sqlite or not isinstance(statement, Select):
            async with self.reading.connect() as connection:
                return (await connection.execute(statement, values)).all()
        read = self._reads.get(statement)
        if read is None:
            read = self._reads[statement] = _Read(statement, self.reading)
        pooled = await self.reading.raw_connection()
        try:
            driver: Any = pooled.driver_connection
            return await driver.fetch(  # type: ignore[no-any-return]
                read.text, *read.arguments(values), timeout=READ_LIMIT, record_class=_Record
            )
        except (
            asyncpg.PostgresConnectionError,
            asyncpg.OperatorInterventionError,
            asyncpg.InterfaceError,
            OSError,
        ) as error:
            pooled.invalidate()
            raise OperationalError("a read", None, error) from None
        finally:
            pooled.close()

    async def row(self, statement: Executable, **values: object) -> Row[Any] | None:
        """The first row of a single read, or None."""
        found = await self.rows(statement, **values)
        return found[0] if found else None

    async def answers(self) -> bool:
        """Whether the database can be asked at all."""
        try:
            await self.row(_ANYTHING)
        except (DBAPIError, PoolTimeout, OSError):
            return False
        return True

    async def close(self) -> None:
        await self.writing.dispose()
        await self.reading.dispose()


class _Read:
    """A statement as PostgreSQL's driver takes it: its text, and its values in their order."""

    def __init__(self, statement: Executable, engine: AsyncEngine) -> None:
        compiled = statement.compile(dialect=engine.dialect)  # type: ignore[attr-defined]
        self.text = str(compiled)
        # A value written into the statement is there; one left to `bindparam` is asked for at each call.
        self._values = [
            (name, compiled.binds[name].value, compiled.binds[name].required) for name in compiled.positiontup
        ]

    def arguments(self, given: Mapping[str, object]) -> list[object]:
        return [given[name] if required or name in given else value for name, value, required in self._values]


class _Record(asyncpg.Record):  # type: ignore[misc]
    """A row whose columns are attributes, as those of SQLAlchemy are."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


_ANYTHING = select(1)
_CACHES, _OUTDATED = "caches", "outdated"


def outdate(session: AsyncSession, *names: str) -> None:
    """Say that copies under these names are no longer true once this transaction is committed."""
    caches: Caches | None = session.info.get(_CACHES)
    if caches is None:
        return
    if _OUTDATED not in session.info:
        outdated: set[str] = session.info.setdefault(_OUTDATED, set())

        def after_commit(_session: SyncSession) -> None:
            caches.after_commit(outdated)

        event.listen(session.sync_session, "after_commit", after_commit)
    session.info[_OUTDATED].update(names)


async def _tell_caches(session: AsyncSession) -> None:
    if outdated := session.info.get(_OUTDATED):
        await session.info[_CACHES].before_commit(session, outdated)


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


def _direct() -> dict[str, Any]:
    settings = {
        "application_name": "goodword",
        "timezone": "UTC",  # date() of a timestamptz is then the day in UTC
        "lock_timeout": f"{LOCK_WAIT:.0f}s",
        "idle_in_transaction_session_timeout": "30s",
    }
    return {"timeout": 2, "command_timeout": 10, "server_settings": settings}


def _pooled() -> dict[str, Any]:
    # A pooler passes on few settings, and hands the connection to somebody else after each transaction.
    # Without a cache, and with a name of its own for each, no prepared statement is looked for or met there.
    return {
        "timeout": 2,
        "command_timeout": 10,
        "server_settings": {"application_name": "goodword", "timezone": "UTC"},
        "statement_cache_size": 0,
        "prepared_statement_cache_size": 0,
        "prepared_statement_name_func": lambda: f"goodword_{uuid7().hex}",
    }


def _limit_lock_wait(connection: Any) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_WAIT:.0f}s'")


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    # After a restart of the server the driver knows which connections it lost: the pool then takes a new one
    # instead of handing out an error.
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def begin_immediate(connection: Any) -> None:
    # A deferred transaction that reads first and writes later fails at once when another wrote in between;
    # an immediate one waits for its turn. Single reads run on `Database.reading` and take no lock.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """One request, one transaction: commit when the endpoint returns, roll back when it raises.

    Nothing is begun before the first statement, so what is slow can come before it.
    """
    database: Database = request.app.state.database
    async with database.transaction() as session:
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
    await _tell_caches(session)
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
