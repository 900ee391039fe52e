"""Engines: one that writes, in transactions, and one for single reads, on each kind of database."""

from collections.abc import Mapping
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError, EmulatedDBAPIException
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from uuid_utils.compat import uuid7

LOCK_TIMEOUT = 5.0
"""Seconds that a write waits for another one before it is told to come back."""
POOL_TIMEOUT = 2.0

CONNECTION_ERRORS = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it is being shut down, or starts, or took too long
    asyncpg.InsufficientResourcesError,  # too many connections, or its disk is full
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # thrown out, and the driver has heard half of it
    EmulatedDBAPIException,  # any of them while connecting, as the toolkit passes it on
    OSError,
)
"""What comes of asking PostgreSQL's driver when the database cannot be asked."""

# A statement's values are addresses and hashes: no error text and so no log may show them.
_QUIET: Mapping[str, Any] = {"hide_parameters": True}
_AUTOCOMMIT: Mapping[str, Any] = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}


def sqlite(url: str) -> tuple[AsyncEngine, AsyncEngine]:
    # One writer at a time is SQLite's rule. A pool of one makes writers queue in order here, where
    # waiting costs nothing, instead of polling for the lock of the file in as many threads.
    writing = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=LOCK_TIMEOUT, **_QUIET)
    reading = create_async_engine(
        url, pool_size=4, max_overflow=0, pool_timeout=LOCK_TIMEOUT, **_AUTOCOMMIT, **_QUIET
    )
    for engine in (writing, reading):
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
    event.listen(writing.sync_engine, "begin", begin_immediate)
    return writing, reading


def postgres(url: str, *, pooler: bool) -> tuple[AsyncEngine, AsyncEngine]:
    """With `pooler` there is a PgBouncer in transaction mode before it.

    No statement is prepared there for the next transaction, which may be on another connection.
    """
    options: dict[str, Any] = {
        "pool_size": 10,
        "max_overflow": 0,
        "pool_timeout": POOL_TIMEOUT,
        "connect_args": _pooled() if pooler else _direct(),
    }
    writing = create_async_engine(url, **options, **_QUIET)
    reading = create_async_engine(url, **options, **_AUTOCOMMIT, **_QUIET, pool_reset_on_return=None)
    if pooler:
        event.listen(writing.sync_engine, "begin", _limit_lock_wait)
    for engine in (writing, reading):
        event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return writing, reading


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN is a deferred one: see `begin_immediate`
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(
        "PRAGMA secure_delete = ON"
    )  # else the file keeps what was erased, where nothing points at it
    cursor.execute(f"PRAGMA busy_timeout = {int(LOCK_TIMEOUT * 1000)}")
    cursor.close()


def _direct() -> dict[str, Any]:
    settings = {
        "application_name": "goodword",
        "timezone": "UTC",  # date() of a timestamptz is then the day in UTC
        "lock_timeout": f"{LOCK_TIMEOUT:.0f}s",
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
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT:.0f}s'")


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    # After a restart of the server the driver knows which connections it lost: the pool then takes a new one
    # instead of handing out an error.
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def begin_immediate(connection: Any) -> None:
    # A deferred transaction that reads first and writes later fails at once when another wrote in between;
    # an immediate one waits for its turn. Single reads run on `Database.read_engine` and take no lock.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
