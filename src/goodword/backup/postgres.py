"""Dump and restore PostgreSQL by its own programs, which must not be older than the server."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import make_url

from goodword.backup.archive import BackupError, BackupInvalid


async def dump(url: str, target: Path, *, snapshot: str) -> None:
    """Write the database to an archive of `pg_dump`, as an exported snapshot sees it."""
    options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"]
    await _run("pg_dump", *options, f"--file={target}", environment=_environment(url))


async def check(path: Path) -> None:
    """Raise `BackupInvalid` if the file is not an archive of `pg_dump`."""
    try:
        await _run("pg_restore", "--list", str(path))
    except BackupFailed as error:
        raise BackupInvalid(f"its database is damaged ({error})") from None


async def restore(url: str, source: Path, folder: Path, *, tables: Iterable[str]) -> None:
    """Replace the database by that of an archive, in one transaction. `tables` are those that it may have more.

    The statements are first written to `folder`: a pipe that ends early would be committed.
    """
    statements, drops = folder / "restore.sql", folder / "drop.sql"
    options = ["--clean", "--if-exists", "--no-owner", "--no-privileges", f"--file={statements}"]
    await _run("pg_restore", *options, str(source))
    drops.write_text("".join(f"DROP TABLE IF EXISTS {name} CASCADE;\n" for name in tables))
    options = [
        "--no-psqlrc",
        "--quiet",
        "--single-transaction",
        "--set=ON_ERROR_STOP=1",
        "--output=/dev/null",
    ]
    await _run("psql", *options, f"--file={drops}", f"--file={statements}", environment=_environment(url))


class BackupFailed(BackupError):
    """A program of PostgreSQL failed. The text is the last line that it wrote."""


async def _run(program: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
    if shutil.which(program) is None:
        raise BackupError(
            f"{program} is not installed. Install the client programs of PostgreSQL, of the server's version "
            "or newer, or run this command where they are."
        )
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        env=os.environ | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _, errors = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        lines = errors.decode(errors="replace").strip().splitlines()
        raise BackupFailed(lines[-1] if lines else f"{program} ended with {process.returncode}")


def _environment(url: str) -> dict[str, str]:
    """Return the variables of libpq for a database. Unlike arguments, other users cannot read them."""
    dialect: Any = PGDialect_asyncpg
    _, options = dialect().create_connect_args(make_url(url))
    names = {
        "PGHOST": "host",
        "PGPORT": "port",
        "PGUSER": "user",
        "PGPASSWORD": "password",
        "PGDATABASE": "database",
        "PGSSLMODE": "ssl",
        "PGPASSFILE": "passfile",
        "PGTARGETSESSIONATTRS": "target_session_attrs",
    }
    return {name: _joined(options[option]) for name, option in names.items() if options.get(option)}


def _joined(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
