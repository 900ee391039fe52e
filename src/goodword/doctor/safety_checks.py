"""Checks of what is needed on a bad day: administrators, signing keys and backups."""

import asyncio
import tarfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from goodword.backup import archive, nightly
from goodword.backup.archive import BackupError
from goodword.doctor.file_checks import problem_of_folder
from goodword.doctor.findings import Check, Finding, Level, NotChecked, NotUsed, error, note, ok, warning
from goodword.doctor.installation import Installation
from goodword.sessions.models import SigningKey
from goodword.users.models import User, UserStatus

OLD_KEY = timedelta(days=400)
OLD_BACKUP = timedelta(days=2)


async def check_administrators(installation: Installation) -> Finding:
    await installation.migrated()
    able = (User.is_admin, User.status == UserStatus.ACTIVE, User.verified_at.is_not(None))
    row = await installation.row(select(func.count().label("number")).select_from(User).where(*able))
    if not row or not row.number:
        return warning("No active administrator has a verified address.")
    return ok("There are administrators.")


async def check_keys(installation: Installation) -> Finding:
    await installation.migrated()
    unretired = select(func.min(SigningKey.created_at).label("oldest")).where(SigningKey.retired_at.is_(None))
    row = await installation.row(unretired)
    if row is None or row.oldest is None:
        return ok("There is no signing key yet: the first start makes one.")
    age = installation.now() - row.oldest
    if age > OLD_KEY:
        return warning(f"The signing keys are {age.days} days old.")
    return ok(f"The signing keys are {age.days} days old.")


async def check_configured(installation: Installation) -> Finding:
    folder = installation.settings.backup_dir
    if folder is None:
        text = "BACKUP_DIR is not set: no nightly backup is made."
        return warning(text) if installation.in_production else note(text)
    if problem := await asyncio.to_thread(problem_of_folder, folder):
        return error(f"BACKUP_DIR {problem}: no nightly backup is made.")
    return ok("A backup is made each night.")


async def _newest(installation: Installation) -> Path | None:
    folder = installation.settings.backup_dir
    if folder is None:
        raise NotUsed("BACKUP_DIR is not set")
    found = await asyncio.to_thread(lambda: sorted(folder.glob(nightly.PATTERN)))
    return found[-1] if found else None


async def check_age(installation: Installation) -> Finding:
    newest = await _newest(installation)
    if newest is None:
        return warning("BACKUP_DIR has no backup.")
    changed = datetime.fromtimestamp(newest.stat().st_mtime, UTC)
    age = installation.now() - changed
    text = f"The newest backup is of {changed:%Y-%m-%d}."
    return warning(text) if age > OLD_BACKUP else ok(text)


async def check_opens(installation: Installation) -> Finding:
    newest = await _newest(installation)
    if newest is None:
        raise NotChecked("there is no backup")
    try:
        made = await asyncio.to_thread(archive.inspect, newest)
    except (BackupError, OSError, tarfile.TarError):
        return error(f"{newest.name} cannot be opened.")
    return ok(f"{newest.name} has {made.counts.get('users', 0)} users.")


CHECKS: Sequence[Check] = (
    Check(
        id="administrators",
        title="There is an administrator",
        remedy="Run `goodword admin create EMAIL`, or with `--promote` for an existing user.",
        level=Level.WARNING,
        run=check_administrators,
    ),
    Check(
        id="signing-keys",
        title="The signing keys are not old",
        remedy="Run `goodword keys rotate`. Tokens stay valid.",
        level=Level.WARNING,
        run=check_keys,
    ),
    Check(
        id="backup-configured",
        title="A backup can be made each night",
        remedy="Set `GOODWORD_BACKUP_DIR` to a folder that belongs to the user of the service, on another disk.",
        level=Level.ERROR,
        run=check_configured,
    ),
    Check(
        id="backup-age",
        title="The newest backup is not older than two days",
        remedy="Start a worker, and see its log for `the nightly backup failed`.",
        level=Level.WARNING,
        run=check_age,
    ),
    Check(
        id="backup-opens",
        title="The newest backup can be opened",
        remedy="Make another one with `goodword backup`, and test the disk of `GOODWORD_BACKUP_DIR`.",
        level=Level.ERROR,
        run=check_opens,
    ),
)
