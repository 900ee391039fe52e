"""`goodword backup` and `goodword restore`."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from goodword.cli.runner import fail, load_settings, reported_errors

NAMES = {"users": "users", "referral_codes": "codes", "referrals": "referrals", "tombstones": "erasures"}


def backup(
    file: Annotated[Path, typer.Argument(help="A new file. It is readable by its owner alone.")],
    without_secret: Annotated[
        bool, typer.Option("--without-secret", help="Leave out the secret key, which you keep elsewhere.")
    ] = False,
) -> None:
    """Write the database and the secret key to one file, while the service runs."""
    from goodword.backup import service

    settings = load_settings()
    with _reported():
        made = asyncio.run(service.make(settings, file, with_secret=not without_secret))
    typer.echo(f"{file}: {_described(made.counts)}.")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `goodword backup` made.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace a database with users, or another secret key.")
    ] = False,
) -> None:
    """Replace the database by that of a backup. Stop the service and the worker first.

    Users who were erased since the backup are erased again.
    """
    from goodword.backup import service
    from goodword.composition import opened
    from goodword.config.loading import load
    from goodword.tables import Base

    async def run() -> int:
        done = await service.restore(settings, file, tables=Base.metadata.tables, force=force)
        typer.echo(
            f"Restored from {done.manifest.created_at:%Y-%m-%d %H:%M} UTC: {_described(done.manifest.counts)}."
        )
        for path in done.kept:
            typer.echo(f"What was there before is kept as {path}.")
        before = await service.count_users(done.settings)
        async with opened(done.settings, migrate=True):
            return before - await service.count_users(done.settings)

    with _reported():
        settings = load()
        again = asyncio.run(run())
    typer.echo(f"Erased again, since they were erased after the backup: {again}.")


def _described(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {NAMES.get(table, table)}" for table, count in counts.items())


@contextmanager
def _reported() -> Iterator[None]:
    from goodword.backup.archive import BackupError

    with reported_errors():
        try:
            yield
        except BackupError as error:
            fail(str(error))
