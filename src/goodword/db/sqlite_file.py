"""Refuse a SQLite file that was deleted or replaced: SQLite would go on writing to a file that nothing can open."""

import sqlite3
from pathlib import Path
from typing import Any


class Moved(sqlite3.OperationalError):
    """The error that SQLite raises itself without a write-ahead log."""

    sqlite_errorname = "SQLITE_READONLY_DBMOVED"


class FileGuard:
    """The file of one database. It is checked before each use of a connection, which takes two microseconds."""

    def __init__(self) -> None:
        self._path = Path()
        self._opened: tuple[int, int] | None = None

    def remember(self, connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA database_list")
        name = cursor.fetchall()[0][2]
        cursor.close()
        if name and self._opened is None:
            self._path = Path(name)
            self._opened = self._found()

    def check(self, *_event: object) -> None:
        """Raise `Moved` if the path does not lead to the file that was opened first."""
        if self._opened is not None and self._opened != self._found():
            raise Moved("the file was deleted or replaced")

    def _found(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino
