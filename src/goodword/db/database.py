"""The database of a process: its engines, its transactions, and single reads without a transaction."""

import asyncio
import math
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Literal, Self

import asyncpg
import structlog
from sqlalchemy import Executable, Integer, Row, Select, cast, func, select, text, true
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError, TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import make_transient_to_detached

from goodword.config.settings import Settings
from goodword.db import engines, statement_spans, transaction_hooks
from goodword.db.base import Model
from goodword.db.driver_reads import CompiledRead, Record
from goodword.db.error_causes import DISK_FULL, READ_ONLY, explain
from goodword.db.replica import Replica
from goodword.db.server_watch import ServerWatch
from goodword.db.transaction_hooks import CommitObservers, HookedSession

log = structlog.get_logger("goodword.database")

TIMED_OUT = "timed_out"
"""Key in the state of a request, set after a timeout reply: the transaction rolls back."""
MIN_FREE_BYTES = 8 * 1024 * 1024
"""Less free space on the disk of SQLite counts as full: a transaction needs room in its log and in the file."""
FULL_SECONDS = 60.0
FIRST_ID = uuid.UUID(int=0)
READ_TIMEOUT = 2.0
"""Seconds for a single read on PostgreSQL."""


class Database:
    """One engine for transactions, and one for single reads. Set `pgbouncer` if PgBouncer is in between.

    `pool_size` is the number of connections to PostgreSQL of each of the `processes` of a node. If it is None,
    `fit_pools` changes it. If `traced`, statements are recorded.
    """

    def __init__(
        self,
        url: str,
        *,
        pgbouncer: bool = False,
        pool_size: int | None = None,
        processes: int = 1,
        traced: bool = False,
    ) -> None:
        self.is_sqlite = url.startswith("sqlite")
        self._server = ServerWatch()
        self._fixed_size, self._size = pool_size, pool_size or engines.MAX_POOL_SIZE
        self._url, self._pgbouncer, self._processes, self._traced = url, pgbouncer, processes, traced
        self.write_engine, self.read_engine = self._create_engines()
        self._reads_by_driver = not (self.is_sqlite or pgbouncer)
        self.replica: Replica | None = None
        self.observers = CommitObservers()
        self.sessions = async_sessionmaker(
            self.write_engine,
            expire_on_commit=False,
            sync_session_class=HookedSession,
            observers=self.observers,
        )
        self.readers = async_sessionmaker(self.read_engine, expire_on_commit=False)
        self._full_at = -math.inf
        self._reads: dict[Executable, CompiledRead] = {}

    @classmethod
    def from_settings(cls, settings: Settings, *, processes: int = 1) -> Self:
        create = partial(
            cls,
            pgbouncer=settings.pgbouncer == "on",
            pool_size=settings.pool_size,
            processes=processes,
            traced=settings.otlp_endpoint is not None,
        )
        database = create(settings.database)
        if settings.replica:
            database.replica = Replica(database, create(settings.replica))
        return database

    def _create_engines(self) -> tuple[AsyncEngine, AsyncEngine]:
        if self.is_sqlite:
            created = engines.sqlite(self._url)
        else:
            created = engines.postgres(
                self._url, pgbouncer=self._pgbouncer, connect=self._server.connect, size=self._size
            )
        if self._traced:
            for engine in created:
                statement_spans.record(engine)
        return created

    async def fit_pools(self) -> None:
        """Size the pools by what PostgreSQL allows, unless the size is given."""
        if self.is_sqlite:
            return
        processes, allowed = self._processes, await self.allowed_connections()
        size = self._fixed_size or engines.pool_size(allowed, processes)
        if size * processes > allowed:
            log.warning(
                "POOL_SIZE is more than PostgreSQL allows", count=size * processes, why=f"{allowed} allowed"
            )
        await self.resize(size)
        if self.replica:  # a standby allows at least as many as its primary
            await self.replica.resize(size)
        log.info("connections to PostgreSQL", count=size, why=f"{processes} processes, {allowed} allowed")

    async def allowed_connections(self) -> int:
        """Return how many connections PostgreSQL allows to this role and database."""
        row = await self.row(_ALLOWED)
        return min(int(limit) for limit in row or () if limit is not None and limit >= 0)

    async def resize(self, size: int) -> None:
        """Close the pools, and create them with this number of connections together."""
        if size == self._size:
            return
        self._size = size
        await self.close()
        self.write_engine, self.read_engine = self._create_engines()
        self.sessions.configure(bind=self.write_engine)
        self.readers.configure(bind=self.read_engine)

    @asynccontextmanager
    async def transaction(
        self, request_state: Mapping[str, Any] | None = None
    ) -> AsyncIterator[AsyncSession]:
        """Yield a session with one transaction, committed at the end of the block or rolled back if it raises.

        Nothing is committed if the request of `request_state` has timed out, or if its actor may no longer act.
        """
        try:
            async with self.sessions.begin() as session:
                if request_state is not None:
                    transaction_hooks.lock_actor_at_begin(session, request_state)
                yield session
                await transaction_hooks.run_before_commit_hooks(session)
                # The hooks may have waited.
                if request_state is not None and TIMED_OUT in request_state:
                    raise TimeoutError("the timeout reply was sent before the commit")
            self._server.answers += 1
            await transaction_hooks.run_after_commit_hooks(session)
        except DBAPIError as error:
            if explain(error) == DISK_FULL:
                self._full_at = time.monotonic()
            raise

    async def rows(self, statement: Executable, **values: object) -> Sequence[Row[Any]]:
        """Return the rows of a statement with `bindparam`, without a transaction.

        On PostgreSQL a `Select` is run by the driver, in half the time that SQLAlchemy takes.
        """
        if not (self._reads_by_driver and isinstance(statement, Select)):
            async with self.read_engine.connect() as connection:
                found = (await connection.execute(statement, values)).all()
            self._server.answers += 1
            return found
        read = self._reads.get(statement)
        if read is None:
            read = self._reads[statement] = CompiledRead(statement, self.read_engine)
        try:
            return await self._fetch(read, values)
        except OperationalError as error:
            if isinstance(error.orig, TimeoutError):
                raise
            # Probably a pooled connection that was closed. The pool now opens another, or raises at once.
            return await self._fetch(read, values)

    async def _fetch(self, read: CompiledRead, values: Mapping[str, object]) -> Sequence[Row[Any]]:
        pooled = None
        try:
            pooled = await self.read_engine.raw_connection()
            driver: Any = pooled.driver_connection
            with statement_spans.around("postgresql", read.text):
                found: Sequence[Row[Any]] = await driver.fetch(
                    read.text, *read.arguments(values), timeout=READ_TIMEOUT, record_class=Record
                )
        except engines.CONNECTION_ERRORS as error:
            if pooled is not None:
                pooled.invalidate()
            raise OperationalError("a read", None, error) from None
        except asyncpg.PostgresError as error:
            raise DBAPIError("a read", None, error) from None
        else:
            self._server.answers += 1
            return found
        finally:
            if pooled is not None:
                pooled.close()

    async def row(self, statement: Executable, **values: object) -> Row[Any] | None:
        """Return the first row of a statement, or None."""
        found = await self.rows(statement, **values)
        return found[0] if found else None

    async def replica_rows(self, statement: Executable, **values: object) -> Sequence[Row[Any]]:
        """Return the rows of a statement, from the replica if there is one that has what was committed before."""
        return await (self.replica or self).rows(statement, **values)

    async def pages(
        self, statement: Executable, *, column: str = "id", after: Any = FIRST_ID
    ) -> AsyncIterator[Row[Any]]:
        """Yield the rows of a statement with a limit and the parameter `after`, a value of `column`, page by page."""
        while rows := await self.rows(statement, after=after):
            for row in rows:
                yield row
            after = getattr(rows[-1], column)

    async def ping(self) -> bool:
        """Return whether the database answers."""
        try:
            await self.row(_PING)
        except (DBAPIError, PoolTimeout, OSError):
            return False
        return True

    async def storage(self) -> Literal["ok", "disk_full", "read_only"]:
        """Return whether the database can be written. Only for SQLite is the free space of the disk known.

        A PostgreSQL counts as full for a minute after a write that failed for that reason.
        """
        if time.monotonic() - self._full_at < FULL_SECONDS:
            return "disk_full"
        if not self.is_sqlite:
            row = await self.row(_TRANSACTIONS)
            return "read_only" if row and row.read_only == "on" else "ok"
        try:
            async with self.write_engine.connect() as connection:
                await connection.execute(_WRITE_NOTHING)
                file = (await connection.execute(_FILE)).one().file
        except OperationalError as error:
            if explain(error) == READ_ONLY:
                return "read_only"
            raise
        return "disk_full" if shutil.disk_usage(file).free < MIN_FREE_BYTES else "ok"

    async def watch(self) -> None:
        """Close all connections when PostgreSQL does not answer, and refuse others until it does. Ends by cancellation."""
        if not self.is_sqlite:
            await asyncio.gather(self._server.watch(), *([self.replica.watch()] if self.replica else []))

    async def warn_if_read_only(self) -> None:
        """Log a warning if the database can be reached and not be written."""
        with suppress(SQLAlchemyError, OSError):
            if (state := await self.storage()) != "ok":
                log.warning("the database cannot be written, so only look-ups work", why=state)

    async def truncate_wal(self) -> None:
        """Empty the write-ahead log of SQLite, which keeps deleted data until it is overwritten."""
        if self.is_sqlite:
            await self.row(_CHECKPOINT)

    async def close(self) -> None:
        await self.write_engine.dispose()
        await self.read_engine.dispose()
        if self.replica:
            await self.replica.close()


_PING = select(1)
_ALLOWED = select(
    (
        cast(func.current_setting("max_connections"), Integer)
        - cast(func.current_setting("superuser_reserved_connections"), Integer)
        - func.coalesce(cast(func.current_setting("reserved_connections", true()), Integer), 0)  # since 16
    ).label("server"),
    text("(SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS role"),
    text("(SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS database"),
)
"""The limits; -1 means none."""
_TRANSACTIONS = select(func.current_setting("transaction_read_only").label("read_only"))
_WRITE_NOTHING = text("DELETE FROM alembic_version WHERE 1 = 0")
_FILE = text("PRAGMA database_list")
_CHECKPOINT = text("PRAGMA wal_checkpoint(TRUNCATE)")


def persistent(session: AsyncSession, model: type[Model], row: Mapping[str, object]) -> Model:
    """Return the object of a row that the transaction has just inserted, or read and locked."""
    made = model()
    vars(made).update(row)  # a third of the time of `model(**row)`, which notes each value as a change
    make_transient_to_detached(made)
    session.add(made)
    return made
