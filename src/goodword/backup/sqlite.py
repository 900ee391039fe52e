"""Check a copy of the embedded database, and put it in its place."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from goodword.backup.archive import BackupError, BackupInvalid


def check(path: Path) -> None:
    """Raise `BackupInvalid` if the file is not a complete database."""
    try:
        with closing(sqlite3.connect(path)) as database:
            [found] = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise BackupInvalid(f"its database is damaged ({found})")


def ensure_unused(path: Path) -> None:
    """Raise `BackupError` if a process has the database open."""
    try:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as database:
            # With the write-ahead log, every open connection holds a lock that excludes this one.
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("BEGIN EXCLUSIVE")
            database.execute("ROLLBACK")
    except sqlite3.OperationalError:
        raise BackupError(
            f"{path.name} is in use. Stop the service, the worker and other commands first."
        ) from None


def install(copy: Path, path: Path) -> None:
    """Move the copy to `path`, in place of the database that is there."""
    for suffix in ("-wal", "-shm"):  # empty since `ensure_unused`
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    copy.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
