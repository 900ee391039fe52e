"""Make and restore backups."""

import asyncio
import hmac
import os
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from goodword import __version__, migrations
from goodword.backup import archive, postgres, sqlite
from goodword.backup.archive import DATABASES, SECRET, TOMBSTONES, BackupError, Manifest
from goodword.codes.models import ReferralCode
from goodword.config import secret_files
from goodword.config.settings import PREFIX, Settings
from goodword.crypto import derive_key, hmac_of
from goodword.db import sqlite_copy
from goodword.db.base import Base
from goodword.privacy import tombstones
from goodword.privacy.models import Tombstone
from goodword.programs.models import Program
from goodword.referrals.models import Referral
from goodword.users.models import User, UserStatus

COUNTED: tuple[type[Base], ...] = (Program, User, ReferralCode, Referral, Tombstone)
"""The tables whose rows the manifest counts."""


@dataclass(frozen=True, slots=True)
class Restored:
    manifest: Manifest
    settings: Settings
    """With the secret key of the backup, if it was restored."""
    kept: tuple[Path, ...]
    """What was replaced, under new names."""


async def make(settings: Settings, path: Path, *, with_secret: bool) -> Manifest:
    """Write a backup to a new file. The database may be in use. Raises `BackupError` and `OSError`."""
    with TemporaryDirectory(dir=path.parent, prefix=".goodword-backup-") as name:
        folder = Path(name)
        revision, counts = await _dump(settings, folder)
        if with_secret:
            (folder / SECRET).write_text(settings.secret.decode() + "\n", encoding="utf-8")
        if (settings.data_dir / TOMBSTONES).exists():
            shutil.copyfile(settings.data_dir / TOMBSTONES, folder / TOMBSTONES)
        members = await asyncio.to_thread(archive.describe_all, folder)
        manifest = Manifest(
            version=__version__,
            revision=revision,
            created_at=datetime.now(UTC),
            database="sqlite" if settings.embedded else "postgresql",
            secret_check=_check_of(settings.secret),
            counts=counts,
            members=members,
        )
        await asyncio.to_thread(archive.pack, folder, manifest, path)
    return manifest


async def _dump(settings: Settings, folder: Path) -> tuple[str, dict[str, int]]:
    """Write a checked copy of the database to `folder`. Return its revision and counts."""
    if settings.sqlite_file:
        copy = folder / DATABASES["sqlite"]
        await asyncio.to_thread(sqlite_copy.copy, settings.sqlite_file, copy)
        await asyncio.to_thread(sqlite.check, copy)
        async with _connection(f"sqlite+aiosqlite:///{copy}") as connection:
            return await _inspect(connection)
    copy = folder / DATABASES["postgresql"]
    async with _connection(settings.database) as connection:
        # The copy is of the moment of this transaction, so that the counts are those of the copy.
        snapshot = await connection.scalar(text("SELECT pg_export_snapshot()"))
        found = await _inspect(connection)
        await postgres.dump(settings.database, copy, snapshot=str(snapshot))
    await postgres.check(copy)
    return found


async def restore(settings: Settings, path: Path, *, tables: Iterable[str], force: bool) -> Restored:
    """Replace the database by that of a backup. The caller migrates it and erases again who was erased since.

    All is checked before anything is written. `tables` are those of this version. Raises `BackupError` and `OSError`;
    without `force` also for a database with users, and for another secret key in the data folder.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(dir=settings.data_dir, prefix=".goodword-restore-") as name:
        folder = Path(name)
        manifest = await asyncio.to_thread(archive.unpack, path, folder)
        copy = folder / DATABASES[manifest.database]
        settings, has_new_secret = _with_secret(settings, manifest, folder, force=force)
        await _check(settings, manifest, copy, force=force)
        moment, kept = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}", []

        def keep(replaced: Path) -> Path:
            kept.append(replaced.with_name(f"{replaced.name}.before-{moment}"))
            return kept[-1]

        if TOMBSTONES in manifest.members:
            await asyncio.to_thread(tombstones.merge, settings.data_dir, folder / TOMBSTONES)
        if has_new_secret:
            secret = settings.data_dir / SECRET
            if secret.exists():
                os.link(secret, keep(secret))
            (folder / SECRET).replace(secret)
        if settings.sqlite_file:
            if settings.sqlite_file.exists():
                os.link(settings.sqlite_file, keep(settings.sqlite_file))
            await asyncio.to_thread(sqlite.install, copy, settings.sqlite_file)
        else:
            await postgres.restore(settings.database, copy, folder, tables=("alembic_version", *tables))
    return Restored(manifest, settings, tuple(kept))


def _with_secret(
    settings: Settings, manifest: Manifest, folder: Path, *, force: bool
) -> tuple[Settings, bool]:
    """Return the settings with the secret of the backup, and whether its file must be written."""
    own = settings.data_dir / SECRET
    if settings.secret_key is None and settings.embedded:
        if SECRET in manifest.members:
            secret = secret_files.read(folder / SECRET)
            if not own.exists() or force or secret_files.read(own) == secret:
                is_new = not own.exists() or secret_files.read(own) != secret
                return settings.model_copy(update={"secret_key": SecretStr(secret)}), is_new
            raise BackupError(
                f"{PREFIX}DATA_DIR has another secret key. With --force it is kept under a new name."
            )
        if not own.exists():
            raise BackupError("The backup has no secret key. Put the one of its database in the data folder.")
        settings = settings.model_copy(update={"secret_key": SecretStr(secret_files.read(own))})
    if not hmac.compare_digest(_check_of(settings.secret), manifest.secret_check):
        raise BackupError(
            f"{PREFIX}SECRET_KEY is not the secret that the database of the backup was made with."
        )
    return settings, False


async def _check(settings: Settings, manifest: Manifest, copy: Path, *, force: bool) -> None:
    """Raise `BackupError` if the backup cannot replace the database."""
    if (manifest.database == "sqlite") != settings.embedded:
        raise BackupError(f"The backup is of {manifest.database}, and {PREFIX}DATABASE_URL is not.")
    if not migrations.knows(manifest.revision):
        raise BackupError(
            f"Goodword {manifest.version} made the backup. Restore it with that version or a newer one."
        )
    if settings.embedded:
        await asyncio.to_thread(sqlite.check, copy)
    else:
        await postgres.check(copy)
    if settings.sqlite_file and settings.sqlite_file.exists():
        await asyncio.to_thread(sqlite.ensure_unused, settings.sqlite_file)
    if not force and (users := await count_users(settings)):
        raise BackupError(f"The database has {users:,} users. With --force they are replaced.")


async def count_users(settings: Settings) -> int:
    """Return the number of users who are not erased; 0 if there is no database or no schema yet."""
    if settings.sqlite_file and not settings.sqlite_file.exists():
        return 0
    async with _connection(settings.database) as connection:
        try:
            return int(await connection.scalar(_USERS) or 0)
        except DBAPIError:
            return 0


async def _inspect(connection: AsyncConnection) -> tuple[str, dict[str, int]]:
    revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    counts = {
        model.__tablename__: int(await connection.scalar(select(func.count()).select_from(model)) or 0)
        for model in COUNTED
    }
    return str(revision), counts


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[AsyncConnection]:
    options = {} if url.startswith("sqlite") else {"isolation_level": "REPEATABLE READ"}
    engine = create_async_engine(url, **options)
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


def _check_of(secret: bytes) -> str:
    return hmac_of(derive_key(secret, "backups"), b"").hex()


_USERS = select(func.count()).select_from(User).where(User.status != UserStatus.ERASED)
