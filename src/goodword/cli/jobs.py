"""`goodword jobs …`: what waits, what was given up, and running that again."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    # What is imported inside functions below would cost every command, `goodword config` too, its start.
    from sqlalchemy.ext.asyncio import AsyncSession

T = TypeVar("T")

SHOWN_AT_MOST = 50

app = typer.Typer(
    help="What waits to be done, and what was given up after many attempts.", no_args_is_help=True
)

JobId = Annotated[uuid.UUID, typer.Argument(metavar="ID", help="As `list` shows it.")]
OneDead = Annotated[uuid.UUID | None, typer.Argument(metavar="[ID]", help="One dead job.")]
DeadOfKind = Annotated[str | None, typer.Option("--kind", help="All dead jobs of this kind, instead of one.")]


@app.command("list")
def list_jobs() -> None:
    """Count the jobs by kind and outcome, and list those that were given up."""
    from goodword.jobs import admin

    counts = _operate(admin.counts)
    dead = _operate(lambda session: admin.dead(session, limit=SHOWN_AT_MOST + 1))
    if not counts:
        typer.echo("There are no jobs.")
    for row in counts:
        typer.echo(f"{row.jobs:8}  {row.outcome:8} {row.kind}")
    if dead:
        typer.echo("\nGiven up, the latest first:")
    for job in dead[:SHOWN_AT_MOST]:
        typer.echo(f"{job.id}  {job.kind}  {job.finished_at:%Y-%m-%d %H:%M}  {job.error}")
    if len(dead) > SHOWN_AT_MOST:
        typer.echo(f"There are more than these {SHOWN_AT_MOST}.", err=True)


@app.command("show")
def show(job_id: JobId) -> None:
    """Show one job. What it holds may name an address, and is not shown."""
    from goodword.jobs import admin

    job = _operate(lambda session: admin.get(session, job_id))
    if job is None:
        _refuse("There is no such job.")
    facts = {
        "id": job.id,
        "kind": job.kind,
        "outcome": job.outcome or "waiting",
        "attempts": job.attempts,
        "about": job.user_id,
        "created": f"{job.created_at:%Y-%m-%d %H:%M:%S}",
        "run at": f"{job.run_at:%Y-%m-%d %H:%M:%S}",
        "finished": job.finished_at and f"{job.finished_at:%Y-%m-%d %H:%M:%S}",
        "error": job.error,
    }
    for name, value in facts.items():
        typer.echo(f"{name + ':':11}{'-' if value is None else value}")


@app.command("retry")
def retry(job_id: OneDead = None, kind: DeadOfKind = None) -> None:
    """Run dead jobs again: one, or all of a kind. They get as many attempts as new ones."""
    from goodword.clock import utc_now
    from goodword.jobs import admin

    _one_or_a_kind(job_id, kind)
    count = _operate(lambda session: admin.retry(session, job_id=job_id, kind=kind, now=utc_now()))
    _tell(count, "to run again")


@app.command("discard")
def discard(job_id: OneDead = None, kind: DeadOfKind = None) -> None:
    """Remove dead jobs: one, or all of a kind."""
    from goodword.jobs import admin

    _one_or_a_kind(job_id, kind)
    _tell(_operate(lambda session: admin.discard(session, job_id=job_id, kind=kind)), "removed")


def _one_or_a_kind(job_id: uuid.UUID | None, kind: str | None) -> None:
    if (job_id is None) == (kind is None):
        _refuse("Give either the id of a job or --kind.", code=2)


def _tell(count: int, what: str) -> None:
    if not count:
        _refuse("No dead job is that.")
    typer.echo(f"{count} {'job' if count == 1 else 'jobs'} {what}.")


def _operate(work: Callable[["AsyncSession"], Awaitable[T]]) -> T:
    """Do something in one transaction on the database of the settings; every refusal is a message."""
    from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout

    from goodword.config.settings import SettingsError

    try:
        return asyncio.run(_in_transaction(work))
    except (SettingsError, OSError, DBAPIError, PoolTimeout) as error:
        _refuse(f"goodword cannot do this:\n{error}", code=2)


async def _in_transaction(work: Callable[["AsyncSession"], Awaitable[T]]) -> T:
    from goodword.composition import opened
    from goodword.config.loading import load, with_own_secret

    async with opened(with_own_secret(load())) as services, services.database.transaction() as session:
        return await work(session)


def _refuse(message: str, code: int = 1) -> NoReturn:
    typer.secho(message, fg="red", err=True)
    raise typer.Exit(code)
