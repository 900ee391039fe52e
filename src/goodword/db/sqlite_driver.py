"""Connections of SQLite for SQLAlchemy that run a statement and read its rows in one call of their thread.

A cursor of aiosqlite takes four calls for that, each with two switches between threads: to open, to execute, to fetch
and to close. Rows are held in memory, as SQLAlchemy's results are in any case.
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

import aiosqlite


class Cursor:
    """What SQLAlchemy needs of an asynchronous cursor. Only `execute` and `executemany` wait for the thread."""

    description: Any = None
    rowcount = -1
    lastrowid: int | None = None
    arraysize = 1

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._rows: Sequence[Any] = ()

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Any = ()) -> None:
        await self._connection.run(self._fetch, sqlite3.Cursor.execute, statement, parameters)

    async def executemany(self, statement: str, parameters: Any) -> None:
        await self._connection.run(self._fetch, sqlite3.Cursor.executemany, statement, parameters)

    def _fetch(self, execute: Callable[..., object], statement: str, parameters: Any) -> None:
        cursor = self._connection.raw_cursor()
        try:
            execute(cursor, statement, parameters)
            self.description = cursor.description
            self._rows = cursor.fetchall()
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid  # known after the rows
        finally:
            cursor.close()

    async def fetchall(self) -> Sequence[Any]:
        return self._rows

    async def close(self) -> None:
        self._rows = ()


class Connection(aiosqlite.Connection):
    """A connection of aiosqlite with the cursors of this module."""

    def cursor(self) -> Cursor:  # type: ignore[override]
        return Cursor(self)

    # aiosqlite offers no public way to call a function in the thread of a connection. SQLAlchemy uses these, too.
    async def run(self, function: Callable[..., object], *arguments: object) -> None:
        await self._execute(function, *arguments)  # type: ignore[no-untyped-call]

    def raw_cursor(self) -> sqlite3.Cursor:
        return self._conn.cursor()

    async def rollback(self) -> None:
        if self.in_transaction:  # the pool also rolls back after a commit
            await super().rollback()


def connect(database: str, **options: Any) -> Connection:
    """Return a connection to await; `async_creator_fn` of SQLAlchemy's dialect."""
    connection = Connection(partial(sqlite3.connect, database, **options), iter_chunk_size=64)
    connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy does: an open connection keeps no process alive
    return connection
