"""Checks of the data folder, the secret key and the disk."""

import asyncio
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from goodword.config import env_file
from goodword.config.loading import SECRETS
from goodword.config.settings import PREFIX
from goodword.crypto import WrongSecret
from goodword.db.database import MIN_FREE_BYTES
from goodword.doctor.findings import Check, Finding, Level, error, ok, warning
from goodword.doctor.installation import ENV_FILE, Installation
from goodword.privacy import tombstones
from goodword.sessions.keys import SigningKeys

LITTLE_BYTES = 512 * 1024 * 1024
OTHERS = 0o007
"""The rights of users who are neither the owner of a file nor in its group."""


async def check_secret(installation: Installation) -> Finding:
    _ = installation.settings
    if installation.secret_problem:
        return error(installation.secret_problem)
    return ok("There is a secret key.")


async def check_secret_of_database(installation: Installation) -> Finding:
    database, missing = await installation.migrated(), "The database has no signing key yet."
    try:
        is_right = await SigningKeys.can_open(database, installation.keys.signing_keys)
    except WrongSecret:
        return error("The secret key is not the one that the database was made with.")
    return ok("The secret key is that of the database.") if is_right else ok(missing)


async def check_private_files(installation: Installation) -> Finding:
    _ = installation.settings
    shown = await asyncio.to_thread(lambda: list(_shown_files(installation)))
    if shown:
        return warning(f"Other users of this machine can read {', '.join(shown)}.")
    return ok("Only their owner can read the files with secrets.")


def _shown_files(installation: Installation) -> Iterator[str]:
    own = installation.settings.data_dir / "secret_key"
    if own.exists() and own.stat().st_mode & OTHERS:
        yield "secret_key in DATA_DIR"
    if ENV_FILE.exists() and ENV_FILE.stat().st_mode & OTHERS:
        given = env_file.read(ENV_FILE)
        if any(given.get(PREFIX + name.upper()) for name in SECRETS):
            yield ".env"


async def check_folder(installation: Installation) -> Finding:
    problem = await asyncio.to_thread(problem_of_folder, installation.settings.data_dir)
    return error(f"DATA_DIR {problem}.") if problem else ok("DATA_DIR can be written.")


def problem_of_folder(folder: Path) -> str | None:
    """Return why a folder cannot be written, to follow its name, or None."""
    if not folder.exists():
        return None if _can_be_made(folder) else "does not exist, and cannot be made by this user"
    if not folder.is_dir():
        return "is not a folder"
    return None if os.access(folder, os.W_OK | os.X_OK) else "cannot be written by this user"


def _can_be_made(folder: Path) -> bool:
    parent = next(one for one in folder.absolute().parents if one.exists())
    return parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)


async def check_private_folder(installation: Installation) -> Finding:
    folder = installation.settings.data_dir
    is_shown = await asyncio.to_thread(lambda: folder.is_dir() and bool(folder.stat().st_mode & OTHERS))
    return (
        warning("Other users of this machine can enter DATA_DIR.") if is_shown else ok("DATA_DIR is private.")
    )


async def check_space(installation: Installation) -> Finding:
    settings = installation.settings
    file = settings.sqlite_file
    folder = file.parent if file else settings.data_dir
    free, size = await asyncio.to_thread(_space, folder, file)
    if free < MIN_FREE_BYTES:
        return error("The disk is full: the database cannot be written.")
    if free < LITTLE_BYTES:
        return warning(f"The disk has {free >> 20} MiB left.")
    if free < size:
        return warning(f"The disk has {free >> 20} MiB left, and the database has {size >> 20} MiB.")
    return ok(f"The disk has {free >> 30} GiB left.")


def _space(folder: Path, file: Path | None) -> tuple[int, int]:
    existing = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    return shutil.disk_usage(existing).free, file.stat().st_size if file and file.exists() else 0


async def check_tombstones(installation: Installation) -> Finding:
    await installation.migrated()
    count = await tombstones.count_missing(
        await installation.database(), installation.settings.data_dir, limit=10_000
    )
    if count:
        return warning(f"{count} records of erasures are not in the file `tombstones` of DATA_DIR.")
    return ok("The records of erasures are in DATA_DIR too.")


CHECKS: Sequence[Check] = (
    Check(
        id="secret-key",
        title="There is a secret key",
        remedy="Set `GOODWORD_SECRET_KEY`, or put the `secret_key` of a backup into the data folder.",
        level=Level.ERROR,
        run=check_secret,
    ),
    Check(
        id="secret-of-database",
        title="The secret key is that of the database",
        remedy="Set the secret that the database was made with: no other can read its keys and tokens.",
        level=Level.ERROR,
        run=check_secret_of_database,
    ),
    Check(
        id="secret-files",
        title="Only their owner can read files with secrets",
        remedy="`chmod 600` the file, and replace the secret if other users may have read it.",
        level=Level.WARNING,
        run=check_private_files,
    ),
    Check(
        id="data-folder",
        title="The data folder can be written",
        remedy="Make `GOODWORD_DATA_DIR` a folder that belongs to the user of the service.",
        level=Level.ERROR,
        run=check_folder,
    ),
    Check(
        id="data-folder-private",
        title="The data folder is private",
        remedy="`chmod 700` the folder: it holds the database, the secret key and saved e-mails.",
        level=Level.WARNING,
        run=check_private_folder,
    ),
    Check(
        id="disk-space",
        title="The disk has room",
        remedy="Delete other files, or enlarge the disk. A backup needs as much room as the database.",
        level=Level.ERROR,
        run=check_space,
    ),
    Check(
        id="tombstones",
        title="The records of erasures are in the data folder too",
        remedy="Restart the service or a worker, which writes what is missing. See `docs/data.md`.",
        level=Level.WARNING,
        run=check_tombstones,
    ),
)
