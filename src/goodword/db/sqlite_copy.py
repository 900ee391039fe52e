"""Copy an embedded database that is in use."""

import sqlite3
from contextlib import closing
from pathlib import Path


def copy(source: Path, target: Path) -> None:
    """Copy the database as it is at one moment, to a single file. Writers do not wait.

    By the online backup API of SQLite (https://sqlite.org/backup.html).
    """
    with closing(sqlite3.connect(source)) as database, closing(sqlite3.connect(target)) as copied:
        database.backup(copied)
        copied.execute("PRAGMA journal_mode = DELETE")  # or the copy could need a second file
