"""The nightly backup: a file for each day in BACKUP_DIR, without the secret key."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from goodword.backup import archive, service
from goodword.backup.archive import BackupError
from goodword.services import Services

LOOK_SECONDS = 600.0
BEGIN = timedelta(hours=2)
"""Time of the day (UTC) after which the backup of the day is made."""
PATTERN = "goodword-????-??-??.backup"

log = structlog.get_logger("goodword.backup")


async def make_backup(services: Services) -> None:
    """Make the backup of the day unless there is one, check it, and delete the oldest beyond BACKUP_KEEP.

    Several workers may share the folder.
    """
    settings = services.settings
    folder, day = settings.backup_dir, (services.clock() - BEGIN).date()
    if folder is None:
        return
    path = folder / f"goodword-{day}.backup"
    await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
    with _locked(folder / ".lock") as is_first:
        if not is_first or await asyncio.to_thread(path.exists):
            return
        try:
            made = await service.make(settings, path, with_secret=False)
            await asyncio.to_thread(_read_again, path)
        except BackupError as error:
            log.error("the nightly backup failed", error=str(error))  # noqa: TRY400
            return
        log.info("backup made", rows=sum(made.counts.values()))
        await asyncio.to_thread(_delete_oldest, folder, settings.backup_keep)


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Yield whether this process has the lock. It ends with the process at the latest."""
    import fcntl  # not on Windows, where other commands run

    with path.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _read_again(path: Path) -> None:
    with TemporaryDirectory(dir=path.parent, prefix=".goodword-check-") as folder:
        archive.unpack(path, Path(folder))


def _delete_oldest(folder: Path, keep: int) -> None:
    for path in sorted(folder.glob(PATTERN))[:-keep]:
        path.unlink(missing_ok=True)
