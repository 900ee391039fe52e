"""The database: column types, engines, and the only place where transactions begin and end."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import asyncpg
from sqlalchemy import (
    Executable,
    Row,
    Select,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, OperationalError, TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import (
    make_transient_to_detached,
)

from goodword.config.settings import Settings
from goodword.db import engines, transaction_hooks
from goodword.db.base import Model
from goodword.db.transaction_hooks import CommitObservers, HookedSession

TIMED_OUT = "timed_out"
"""Key in the state of a request, set after a timeout reply: the transaction rolls back."""
READ_TIMEOUT = 2.0
"""Seconds that a single read may take on PostgreSQL."""


class Database:
    """Two engines on one database: transactions that write, and single reads without any.

    With `pooler` there is a PgBouncer in transaction mode before PostgreSQL: no statement is prepared for the
    next transaction, which may be on another connection.
    """

    def __init__(self, url: str, *, pooler: bool = False) -> None:
        self.is_sqlite = url.startswith("sqlite")
        self.write_engine, self.read_engine = (
            engines.sqlite(url) if self.is_sqlite else engines.postgres(url, pooler=pooler)
        )
        self.observers = CommitObservers()
        self.sessions = async_sessionmaker(
            self.write_engine,
            expire_on_commit=False,
            sync_session_class=HookedSession,
            observers=self.observers,
        )
        self.readers = async_sessionmaker(self.read_engine, expire_on_commit=False)
        self._reads: dict[Executable, _Read] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The database that the settings name, reached as they say."""
        return cls(settings.database, pooler=settings.pgbouncer == "on")

    @asynccontextmanager
    async def transaction(
        self, request_state: Mapping[str, Any] | None = None
    ) -> AsyncIterator[AsyncSession]:
        """Yield a session with one transaction, committed at the end of the block or rolled back if it raises.

        Nothing is committed if the request of `request_state` has timed out, or if its actor may no longer act.
        """
        async with self.sessions.begin() as session:
            if request_state is not None:
                transaction_hooks.lock_actor_at_begin(session, request_state)
            yield session
            await transaction_hooks.run_before_commit_hooks(
                session
            )  # may wait, so check the timeout after it
            if request_state is not None and TIMED_OUT in request_state:
                raise TimeoutError("The timeout reply was already sent")
        await transaction_hooks.run_after_commit_hooks(session)

    async def rows(self, statement: Executable, **values: object) -> Sequence[Row[Any]]:
        """Rows of a single read, with no transaction around it: for statements built once, with `bindparam`.

        On PostgreSQL the driver is asked itself, in half the time that it takes by way of the toolkit.
        """
        if self.is_sqlite or not isinstance(statement, Select):
            async with self.read_engine.connect() as connection:
                return (await connection.execute(statement, values)).all()
        read = self._reads.get(statement)
        if read is None:
            read = self._reads[statement] = _Read(statement, self.read_engine)
        try:
            return await self._ask(read, values)
        except OperationalError:
            # A connection that was closed meanwhile, most likely. To read twice does no harm, and the pool has
            # a new one; if the database is out, it says so at once.
            return await self._ask(read, values)

    async def _ask(self, read: "_Read", values: Mapping[str, object]) -> Sequence[Row[Any]]:
        pooled = None
        try:
            pooled = await self.read_engine.raw_connection()
            driver: Any = pooled.driver_connection
            return await driver.fetch(  # type: ignore[no-any-return]
                read.text, *read.arguments(values), timeout=READ_TIMEOUT, record_class=_Record
            )
        except engines.CONNECTION_ERRORS as error:
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

    async def ping(self) -> bool:
        """Whether the database can be asked at all."""
        try:
            await self.row(_ANYTHING)
        except (DBAPIError, PoolTimeout, OSError):
            return False
        return True

    async def truncate_wal(self) -> None:
        """On SQLite: the log beside the file keeps what was removed, until it is written over by chance."""
        if self.is_sqlite:
            await self.row(_EMPTY_LOG)

    async def close(self) -> None:
        await self.write_engine.dispose()
        await self.read_engine.dispose()


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


def persistent(session: AsyncSession, model: type[Model], row: Mapping[str, object]) -> Model:
    """Return an object for a row that the transaction has just written, or read and locked."""
    made = model(**row)
    make_transient_to_detached(made)
    session.add(made)
    return made
