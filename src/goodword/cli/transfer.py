"""`goodword export` and `goodword import`."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from goodword.cli.runner import fail, reported_errors, run

if TYPE_CHECKING:
    from rich.progress import Progress

    from goodword.services import Services
    from goodword.transfer.importing import Counts

Format = Literal["ndjson", "csv"]
NAMES = {
    "program": "programs",
    "user": "users",
    "code": "codes",
    "referral": "referrals",
    "reward_rule": "reward rules",
    "event": "events",
    "reward": "rewards",
    "coupon": "coupons",
}
ALWAYS = {"users", "codes", "referrals"}
"""What is named also if there is none of it."""


def export(
    file: Annotated[
        Path, typer.Argument(help="A new file, or a new folder with --format csv; - for standard output.")
    ],
    form: Annotated[Format, typer.Option("--format", help="The format.")] = "ndjson",
    with_password_hashes: Annotated[
        bool, typer.Option("--with-password-hashes", help="Let users sign in elsewhere with their passwords.")
    ] = False,
) -> None:
    """Write all programs, users, codes, referrals, events and rewards as they are now, while the service runs.

    Only its owner can read the file.
    """
    from goodword.transfer import exporting

    path = None if str(file) == "-" else file
    if path is None and form == "csv":
        fail("CSV needs a folder. Standard output is NDJSON.", status=2)
    counts = dict.fromkeys(NAMES, 0)

    async def work(services: "Services") -> None:
        with _progress() as shown:
            task = shown.add_task("Exporting", total=None)

            def advance(kind: str, count: int) -> None:
                counts[kind] += count
                shown.update(task, description=_described(counts))

            await exporting.write(
                services,
                path,
                out=sys.stdout.buffer,
                as_csv=form == "csv",
                with_hashes=with_password_hashes,
                advance=advance,
            )

    with reported_errors():
        run(work)
    typer.echo(f"Exported {_described(counts)}.", err=True)


def import_(
    file: Annotated[
        Path, typer.Argument(help="An NDJSON or CSV file, or a folder of an export; - for standard input.")
    ],
    form: Annotated[Format, typer.Option("--format", help="The format of standard input.")] = "ndjson",
    mapping: Annotated[
        str | None, typer.Option("--map", help="A TOML file that names the columns, or a ready mapping.")
    ] = None,
    with_administrators: Annotated[
        bool, typer.Option("--with-administrators", help="Keep the rights of administrators.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Report what would happen, and change nothing.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an import that was interrupted.")
    ] = False,
) -> None:
    """Create what a file has and the database has not: programs, users, codes, referrals, events and rewards.

    It can be run again at any time, also beside the service. Lines that cannot be imported are reported in
    FILE.errors.ndjson, for standard input on standard error.
    """
    from goodword.transfer import importing, mapping as mappings
    from goodword.transfer.mapping import MappingInvalid
    from goodword.transfer.reading import FileUnreadable
    from goodword.transfer.rows import Raced

    path = None if str(file) == "-" else file
    if path is None and resume:
        fail("Standard input cannot be resumed. Import it again: what exists is left as it is.", status=2)

    async def work(services: "Services") -> "Counts":
        with _progress() as shown:
            task = shown.add_task("Importing", total=_size(path))
            return await importing.run(
                services,
                path,
                stdin=sys.stdin.buffer if path is None else None,
                as_csv=form == "csv",
                mapping=mappings.load(mapping) if mapping else None,
                administrators=with_administrators,
                dry_run=dry_run,
                resume=resume,
                errors=sys.stderr.buffer if path is None else None,
                advance=lambda count: shown.advance(task, count),
            )

    try:
        counts = run(work)
    except (FileUnreadable, MappingInvalid) as error:
        fail(str(error), status=2)
    except Raced:
        fail("Others have changed the same users all the time. Import again.")
    verb = "Would create" if dry_run else "Created"
    typer.echo(f"{verb} {_described(counts.created)}. Unchanged: {_described(counts.unchanged)}.")
    if counts.refused:
        where = "above" if path is None else f"in {importing.beside(path, 'errors.ndjson')}"
        fail(f"Refused: {counts.refused:,} lines, listed {where}.")


def _size(path: Path | None) -> int | None:
    if path is None or not path.exists():
        return None
    return sum(file.stat().st_size for file in (path.iterdir() if path.is_dir() else (path,)))


def _described(counts: dict[str, int]) -> str:
    found = {name: counts.get(kind, 0) for kind, name in NAMES.items()}
    return ", ".join(f"{count:,} {name}" for name, count in found.items() if count or name in ALWAYS)


@contextmanager
def _progress() -> "Iterator[Progress]":
    """Show the progress on standard error, if it is a terminal. Collect garbage less often meanwhile."""
    from rich.console import Console
    from rich.progress import Progress

    gc.freeze()  # as `serve` does: passes over all modules take time
    gc.set_threshold(50_000, 20, 20)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        yield shown
