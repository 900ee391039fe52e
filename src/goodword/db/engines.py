"""The engines of a database: one for transactions, and one for single reads."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError, EmulatedDBAPIException
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from uuid_utils.compat import uuid7

from goodword.db import sqlite_driver
from goodword.db.sqlite_file import FileGuard

LOCK_TIMEOUT = 5.0
"""Seconds that a write waits for a lock before it fails."""
POOL_TIMEOUT = 2.0
MIN_POOL_SIZE, MAX_POOL_SIZE = 4, 20
"""Connections of a process, of those that `pool_size` gives. More do not make it faster."""
SHARES = 5
"""A node uses at most this part of the server's connections, so that four nodes and their workers fit."""
SQLITE_TIMEOUT = 2.4
"""Seconds that a write waits for the connection of the writer, and then for the lock of the file."""
SQLITE_PRAGMAS: tuple[str, ...] = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "secure_delete = ON",  # overwrite deleted rows in the file
    f"busy_timeout = {int(SQLITE_TIMEOUT * 1000)}",
)

CONNECTION_ERRORS = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutdown, startup, or a cancelled statement
    asyncpg.InsufficientResourcesError,  # too many connections, or a full disk
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection closed in the middle of a message
    EmulatedDBAPIException,  # any of them while SQLAlchemy connects
    OSError,
)
"""Errors of PostgreSQL's driver that mean that the database cannot be reached."""

# Parameters are addresses and hashes: no error text and no log may contain them.
_create_engine = partial(create_async_engine, max_overflow=0, hide_parameters=True)
_AUTOCOMMIT: Mapping[str, Any] = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}


def sqlite(url: str) -> tuple[AsyncEngine, AsyncEngine]:
    # SQLite has one writer at a time. With a pool of one, writers queue in order instead of polling for the lock
    # of the file, each in a thread.
    create = partial(
        _create_engine,
        url,
        pool_timeout=SQLITE_TIMEOUT,
        connect_args={"async_creator_fn": sqlite_driver.connect},
    )
    writing, reading = create(pool_size=1), create(pool_size=4, **_AUTOCOMMIT)
    guard = FileGuard()
    for engine in (writing, reading):
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        event.listen(engine.sync_engine, "connect", guard.remember)
        event.listen(engine.sync_engine, "do_connect", guard.check)
        event.listen(engine.sync_engine, "checkout", guard.check)
    event.listen(writing.sync_engine, "begin", begin_immediate)
    return writing, reading


def pool_size(allowed: int, processes: int) -> int:
    """Return how many connections each of the `processes` of a node opens to a server that allows `allowed`."""
    return min(max(allowed // SHARES // processes, MIN_POOL_SIZE), MAX_POOL_SIZE)


def postgres(
    url: str, *, pgbouncer: bool, connect: Callable[..., Any], size: int
) -> tuple[AsyncEngine, AsyncEngine]:
    """Return the engines. Half of the `size` connections are for transactions, and half for reads."""
    arguments = {**_connect_arguments(pgbouncer=pgbouncer), "async_creator_fn": connect}
    create = partial(_create_engine, url, pool_timeout=POOL_TIMEOUT, connect_args=arguments)
    write_size = max(size // 2, 1)
    read_size = max(size - write_size, 1)
    # The level for which the statements are written, whatever the default of the server is.
    writing = create(pool_size=write_size, isolation_level="READ COMMITTED")
    if pgbouncer:
        # No autocommit: a statement is prepared and executed in a transaction, so both reach the same server.
        reading = create(pool_size=read_size, isolation_level="READ COMMITTED")
        event.listen(writing.sync_engine, "begin", _set_lock_timeout)
    else:
        reading = create(pool_size=read_size, **_AUTOCOMMIT, pool_reset_on_return=None)
    for engine in (writing, reading):
        event.listen(engine.sync_engine, "checkout", _discard_closed)
    return writing, reading


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # `begin_immediate` begins transactions, not the driver
    cursor = connection.cursor()
    for pragma in SQLITE_PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _connect_arguments(*, pgbouncer: bool) -> dict[str, Any]:
    settings = {"application_name": "goodword", "timezone": "UTC"}  # date() must return the day in UTC
    if not pgbouncer:  # which passes on few settings
        settings["lock_timeout"] = f"{LOCK_TIMEOUT:.0f}s"
        settings["idle_in_transaction_session_timeout"] = "30s"
    arguments: dict[str, Any] = {
        "command_timeout": 10,
        "server_settings": settings,
    }
    if pgbouncer:
        # In transaction mode the next transaction may be on another connection, so prepared statements are not
        # cached and each has a unique name.
        arguments |= {
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"goodword_{uuid7().hex}",
        }
    return arguments


def _set_lock_timeout(connection: Any) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT:.0f}s'")


def _discard_closed(connection: Any, _record: object, _proxy: object) -> None:
    # After a restart of the server the pool then opens another connection instead of returning a closed one.
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def begin_immediate(connection: Any) -> None:
    # A deferred transaction that reads and then writes fails at once if another wrote in between; an immediate
    # one waits. Single reads run on `Database.read_engine` and take no lock.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
