"""The file of a backup: an uncompressed tar archive (POSIX.1-2001) with a manifest that describes its other members."""

import hashlib
import os
import secrets
import shutil
import tarfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MANIFEST = "manifest.json"
DATABASES: Mapping[Literal["sqlite", "postgresql"], str] = {
    "sqlite": "database.sqlite3",
    "postgresql": "database.dump",
}
"""The member with the database: a SQLite file, or an archive of `pg_dump --format=custom`."""
SECRET, TOMBSTONES = "secret_key", "tombstones"
MEMBERS = frozenset({*DATABASES.values(), SECRET, TOMBSTONES})
MAX_MANIFEST = 64 * 1024
CHUNK = 1024 * 1024


class BackupError(Exception):
    """A backup cannot be made or restored. The text says why."""


class BackupInvalid(BackupError):
    """The file is not a backup, or it is damaged."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The backup cannot be used: {reason}.")


class Member(BaseModel):
    size: int = Field(ge=0)
    sha256: str


class Manifest(BaseModel):
    """What a backup contains."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    version: str
    """Of Goodword."""
    revision: str
    """Of the schema."""
    created_at: datetime
    database: Literal["sqlite", "postgresql"]
    secret_check: str
    """A keyed hash that only the secret of the database makes."""
    counts: dict[str, int]
    """Rows of the main tables."""
    members: dict[str, Member]


def pack(folder: Path, manifest: Manifest, path: Path) -> None:
    """Write the members in `folder` to a new file at `path`, readable by its owner alone. It appears when complete.

    Raises `BackupError` if there is a file already, and `OSError`.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w:", format=tarfile.PAX_FORMAT) as archive:
                content = folder / MANIFEST
                content.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
                for name in (MANIFEST, *manifest.members):
                    archive.add(folder / name, name, filter=_anonymous)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        raise BackupError(f"{path} exists. Name a new file.") from None
    finally:
        draft.unlink(missing_ok=True)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o600
    return entry


def describe_all(folder: Path) -> dict[str, Member]:
    """Return the size and the checksum of each file in a folder."""
    return {path.name: describe(path) for path in sorted(folder.iterdir())}


def describe(path: Path) -> Member:
    """Return the size and the checksum of a file."""
    with path.open("rb") as file:
        return Member(size=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())


def unpack(path: Path, folder: Path) -> Manifest:
    """Write the members of a backup to `folder`, and return its manifest. Raises `BackupInvalid` and `OSError`."""
    try:
        with tarfile.open(path, mode="r:") as archive:
            manifest = _read_manifest(archive)
            while entry := archive.next():
                if entry.name not in manifest.members or not entry.isreg():
                    raise BackupInvalid(f"it has the unknown member {entry.name!r}")
                content = archive.extractfile(entry)
                assert content is not None, "a regular file has contents"
                _write(content, folder / entry.name)
    except tarfile.TarError:
        raise BackupInvalid("it is not a tar archive, or it is incomplete") from None
    for name, member in manifest.members.items():
        if not (folder / name).exists() or describe(folder / name) != member:
            raise BackupInvalid(f"{name} is missing or damaged")
    return manifest


def inspect(path: Path) -> Manifest:
    """Return the manifest of a backup that has all its members. Checksums are not verified, which takes longer.

    Raises `BackupInvalid` and `OSError`.
    """
    try:
        with tarfile.open(path, mode="r:") as archive:
            manifest = _read_manifest(archive)
            sizes = {entry.name: entry.size for entry in archive if entry.name != MANIFEST}
    except tarfile.TarError:
        raise BackupInvalid("it is not a tar archive, or it is incomplete") from None
    if sizes != {name: member.size for name, member in manifest.members.items()}:
        raise BackupInvalid("its members are not those of its manifest")
    return manifest


def _read_manifest(archive: tarfile.TarFile) -> Manifest:
    first = archive.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > MAX_MANIFEST:
        raise BackupInvalid("it does not begin with a manifest")
    content = archive.extractfile(first)
    assert content is not None, "a regular file has contents"
    try:
        manifest = Manifest.model_validate_json(content.read())
    except ValidationError:
        raise BackupInvalid("its manifest is not one that this version reads") from None
    if not manifest.members.keys() <= MEMBERS or DATABASES[manifest.database] not in manifest.members:
        raise BackupInvalid("its manifest does not describe one database")
    return manifest


def _write(content: IO[bytes], path: Path) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(content, file, CHUNK)
