"""The database: column types, engines, and the only place where transactions begin and end."""

import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, ClassVar, Protocol, Self, TypeVar

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
    insert as insert_into,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError, TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session as SyncSession,
    make_transient_to_detached,
    mapped_column,
)
from uuid_utils.compat import uuid7

from goodword import actors, endings, engines
from goodword.settings import Settings

SETTINGS = "settings"
"""Where a session's `info` holds them: for what an erasure leaves, which has a key and a folder."""
GIVEN_UP = "given_up"
"""Stands in the state of a request that was answered already, by `guard`: it commits nothing."""
READ_LIMIT = 2.0
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
        self.writing, self.reading = (
            engines.sqlite(url) if self.is_sqlite else engines.postgres(url, pooler=pooler)
        )
        self.info: dict[str, Any] = {}
        """What every session finds in its `info`."""
        self.sessions = async_sessionmaker(
            self.writing, expire_on_commit=False, info=self.info, sync_session_class=actors.CheckedSession
        )
        self.readers = async_sessionmaker(self.reading, expire_on_commit=False)
        self._reads: dict[Executable, _Read] = {}

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The database that the settings name, reached as they say."""
        database = cls(settings.database, pooler=settings.pgbouncer == "on")
        database.info[SETTINGS] = settings
        return database

    def watched_by(self, caches: Caches) -> None:
        """Let `caches` know of every transaction that outdates a copy of theirs."""
        self.info[_CACHES] = caches

    @asynccontextmanager
    async def transaction(self, asked: Mapping[str, Any] | None = None) -> AsyncIterator[AsyncSession]:
        """A session with one transaction: committed at the end of the block, rolled back when it raises.

        `asked` is the state of the request that it is for. If that was given up meanwhile, or if its actor may
        not act any more, nothing is committed.
        """
        async with self.sessions.begin() as session:
            if asked is not None:
                actors.let_act(session, asked)
            yield session
            await _end(session)  # which may wait for others: so the last look is after it
            if asked is not None and GIVEN_UP in asked:
                raise TimeoutError("the client was told that this took too long")
        await endings.following(session)

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
        try:
            return await self._ask(read, values)
        except OperationalError:
            # A connection that was closed meanwhile, most likely. To read twice does no harm, and the pool has
            # a new one; if the database is out, it says so at once.
            return await self._ask(read, values)

    async def _ask(self, read: "_Read", values: Mapping[str, object]) -> Sequence[Row[Any]]:
        pooled = None
        try:
            pooled = await self.reading.raw_connection()
            driver: Any = pooled.driver_connection
            return await driver.fetch(  # type: ignore[no-any-return]
                read.text, *read.arguments(values), timeout=READ_LIMIT, record_class=_Record
            )
        except engines.OUT_OF_REACH as error:
            if pooled is not None:
                pooled.invalidate()
            raise OperationalError("a read", None, error) from None
        finally:
            if pooled is not None:
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

    async def empty_log(self) -> None:
        """On SQLite: the log beside the file keeps what was removed, until it is written over by chance."""
        if self.is_sqlite:
            await self.row(_EMPTY_LOG)

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
_EMPTY_LOG = text("PRAGMA wal_checkpoint(TRUNCATE)")
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


async def _end(session: AsyncSession) -> None:
    actors.raise_refusal(session)
    await endings.write(session)
    await _tell_caches(session)


async def _tell_caches(session: AsyncSession) -> None:
    if outdated := session.info.get(_OUTDATED):
        await session.info[_CACHES].before_commit(session, outdated)


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """One request, one transaction: commit when the endpoint returns, roll back when it raises.

    Nothing is begun before the first statement, so what is slow can come before it.
    """
    database: Database = request.app.state.database
    async with database.transaction(request.scope["state"]) as session:
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
    await _end(session)
    await session.commit()


async def insert(session: AsyncSession, model: type[Model], **values: object) -> Model:
    """Insert a row now. By a statement made once: to flush a new object takes several times as long."""
    row = _complete(model, values)
    await session.execute(_insert(model), row)
    return kept(session, model, row)


async def insert_if_absent(session: AsyncSession, model: type[Model], **values: object) -> Model | None:
    """Insert a row unless a unique rule refuses it; None then. A twin in flight is waited for.

    No savepoint and no exception: the transaction stays good, whoever wins the race.
    """
    row = _complete(model, values)
    if await session.scalar(_insert_if_absent(model, session.get_bind().dialect.name), row) is None:
        return None
    return kept(session, model, row)


def _complete(model: type[Base], values: Mapping[str, object]) -> dict[str, Any]:
    given = dict(values)
    for column in model.__table__.columns:
        if column.key not in given:
            default: Any = column.default
            is_made = default is not None and default.is_callable
            given[column.key] = default.arg(None) if is_made else default.arg if default is not None else None
    return given


def kept(session: AsyncSession, model: type[Model], row: Mapping[str, object]) -> Model:
    """Return an object for a row that the transaction has just written, or read and locked."""
    made = model(**row)
    make_transient_to_detached(made)
    session.add(made)
    return made


@cache
def _insert(model: type[Base]) -> Executable:
    table: Any = model.__table__
    return insert_into(table)


@cache
def _insert_if_absent(model: type[Base], dialect: str) -> Executable:
    table: Any = model.__table__
    statement = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    returning: Executable = statement.on_conflict_do_nothing().returning(table.c.id)
    return returning


def is_unique_violation(error: DBAPIError) -> bool:
    text = str(error.orig)
    return getattr(error.orig, "sqlstate", None) == "23505" or "UNIQUE constraint failed" in text


def is_lock_timeout(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) == "55P03" or "database is locked" in str(error.orig)


def is_out_of_reach(error: DBAPIError) -> bool:
    """By the classes of SQLSTATE: connection, resources (connections, memory, disk), the operator's doing, I/O."""
    return (getattr(error.orig, "sqlstate", None) or "")[:2] in {"08", "53", "57", "58"}
