"""`goodword jobs`: list, show, retry and discard background jobs."""

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from goodword.cli.runner import fail, run_in_transaction

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from goodword.jobs.models import Job
    from goodword.services import Services

MAX_LISTED = 50

app = typer.Typer(help="Background jobs.", no_args_is_help=True)

JobId = Annotated[uuid.UUID, typer.Argument(metavar="ID", help="The id, as `list` shows it.")]
DeadJobId = Annotated[uuid.UUID | None, typer.Argument(metavar="[ID]", help="One failed job.")]
DeadJobKind = Annotated[str | None, typer.Option("--kind", help="All failed jobs of this kind.")]


@app.command("list")
def list_jobs() -> None:
    """Count the jobs by kind and outcome, and list the failed ones."""
    from goodword.jobs import admin

    async def read(session: "AsyncSession", _services: "Services") -> "tuple[Sequence[Any], Sequence[Job]]":
        return await admin.count_by_outcome(session), await admin.list_dead(session, limit=MAX_LISTED + 1)

    counts, dead = run_in_transaction(read)
    if not counts:
        typer.echo("There are no jobs.")
    for row in counts:
        typer.echo(f"{row.jobs:8}  {row.outcome:8} {row.kind}")
    if dead:
        typer.echo("\nDead jobs, latest first:")
    for job in dead[:MAX_LISTED]:
        typer.echo(f"{job.id}  {job.kind}  {job.finished_at:%Y-%m-%d %H:%M}  {job.error}")
    if len(dead) > MAX_LISTED:
        typer.echo(f"There are more than {MAX_LISTED} failed jobs.", err=True)


@app.command()
def show(job_id: JobId) -> None:
    """Show one job, without its payload, which may contain personal data."""
    from goodword.jobs import admin

    job = run_in_transaction(lambda session, _: admin.get(session, job_id))
    if job is None:
        fail("There is no such job.")
    fields = {
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
    for name, value in fields.items():
        typer.echo(f"{name + ':':11}{'-' if value is None else value}")


@app.command()
def retry(job_id: DeadJobId = None, kind: DeadJobKind = None) -> None:
    """Run failed jobs again: one, or all of a kind. Each gets as many attempts as a new job."""
    from goodword.jobs import admin

    _require_one(job_id, kind)
    count = run_in_transaction(
        lambda session, services: admin.retry(session, job_id=job_id, kind=kind, now=services.clock())
    )
    _report(count, "to run again")


@app.command()
def discard(job_id: DeadJobId = None, kind: DeadJobKind = None) -> None:
    """Delete failed jobs: one, or all of a kind."""
    from goodword.jobs import admin

    _require_one(job_id, kind)
    count = run_in_transaction(lambda session, _: admin.discard(session, job_id=job_id, kind=kind))
    _report(count, "deleted")


def _require_one(job_id: uuid.UUID | None, kind: str | None) -> None:
    if (job_id is None) == (kind is None):
        fail("Give either the id of a job or --kind.", status=2)


def _report(count: int, action: str) -> None:
    if not count:
        fail("There is no such failed job.")
    typer.echo(f"{count} {'job' if count == 1 else 'jobs'} {action}.")
