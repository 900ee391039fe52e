"""The `goodword` command."""

import asyncio
import gc
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from goodword import __version__
from goodword.actor import Actor, ActorContext, actor_context
from goodword.cli import (
    admin,
    api_keys,
    audit,
    backup,
    demo,
    doctor,
    jobs,
    oauth_clients,
    transfer,
    users,
    webhooks,
)
from goodword.cli.runner import fail, load_settings, reported_errors, run_in_transaction

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from goodword.services import Services

app = typer.Typer(
    help="A self-hosted referral service.", no_args_is_help=True, pretty_exceptions_show_locals=False
)
keys = typer.Typer(help="The keys that sign tokens.", no_args_is_help=True)
app.add_typer(keys, name="keys")
app.add_typer(admin.app, name="admin")
app.add_typer(users.app, name="users")
app.add_typer(oauth_clients.app, name="oauth-client")
app.add_typer(api_keys.app, name="api-key")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(jobs.app, name="jobs")
app.add_typer(audit.app, name="audit")
app.command()(demo.demo)
app.command()(doctor.doctor)
app.command()(transfer.export)
app.command("import")(transfer.import_)
app.command()(backup.backup)
app.command()(backup.restore)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"goodword {__version__}")
        raise typer.Exit


@app.callback()
def begin(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Record the operator as the actor of every command, and send the log to standard error."""
    with _hidden("rich"):  # structlog would import it for tracebacks that the log does not have
        import structlog

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    actor_context.set(ActorContext(Actor.OPERATOR))


@contextmanager
def _hidden(library: str) -> Iterator[None]:
    """Let imports in the block find that an optional library is not installed."""
    known = sys.modules.pop(library, None)
    sys.modules[library] = None  # type: ignore[assignment]  # the import system reads it so
    try:
        yield
    finally:
        del sys.modules[library]
        if known:
            sys.modules[library] = known


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(help="Number of processes.", min=1)] = 1,
    migrate: Annotated[bool, typer.Option("--migrate", help="Migrate the schema first.")] = False,
) -> None:
    """Run the service. An embedded database is created and migrated first."""
    _require_posix()
    # FastAPI would import its forty modules only to refuse models of that version.
    sys.modules.setdefault("pydantic.v1", None)  # type: ignore[arg-type]
    with _no_collection():
        from goodword.app import create_app
        from goodword.cli import greeting, serve as server

        with reported_errors():
            greeting.derive_public_url(host, port)
        settings = load_settings(create=True)
        with reported_errors():
            sockets = server.bind(host, port)
            app = create_app(
                settings,
                run_jobs=settings.embedded,
                migrate=migrate or settings.embedded,
                processes=workers,
            )

    def greet() -> None:
        if sys.stdout.isatty():
            greeting.show(settings)

    with reported_errors():
        server.serve(app, sockets, settings, workers=workers, on_ready=greet)


def _require_posix() -> None:
    """Exit on Windows, which cannot fork and has no SIGHUP, before modules that need them are imported."""
    if not hasattr(os, "fork"):
        fail(
            "This command needs Linux, macOS or another POSIX system. On Windows, use WSL or a container.",
            status=2,
        )


@contextmanager
def _no_collection() -> Iterator[None]:
    """Collect no garbage during the block, nor later among what it leaves.

    A pass over all modules takes 0.1 s, stops all requests, and writes to memory that processes share.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)  # a request makes hundreds of objects, and few cycles
        gc.enable()


@app.command()
def worker(
    concurrency: Annotated[int, typer.Option(help="Number of jobs to run at once.", min=1, max=64)] = 4,
) -> None:
    """Run background jobs, such as sending e-mail, until stopped. Several workers may run."""
    _require_posix()
    import structlog

    from goodword.cli.worker import run_worker
    from goodword.logs import configure_logging

    settings = load_settings()
    configure_logging(settings.log_format)
    structlog.get_logger("goodword.jobs").info("worker started", database=settings.database_name)
    with reported_errors():
        asyncio.run(run_worker(settings, concurrency=concurrency))


@app.command()
def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Report what the migrations would block, and for how long.")
    ] = False,
) -> None:
    """Migrate the schema of the database. Concurrent runs wait for each other.

    With --check, change nothing, and exit with 1 if migrations are pending.
    """
    from goodword import migrations
    from goodword.cli.migration_report import lines
    from goodword.migrations.check import check as check_migrations

    settings = load_settings(create=not check)
    typer.echo(f"Database: {settings.database_name}", err=True)
    with reported_errors():
        if check:
            report = asyncio.run(check_migrations(settings.database))
            typer.echo("\n".join(lines(report)))
            raise typer.Exit(1 if report.pending else 0)
        revision = asyncio.run(migrations.upgrade(settings.database))
    is_newer = revision != migrations.head()
    typer.echo(f"The schema is at {revision}{', which this older version can use' if is_newer else ''}.")


@app.command()
def config() -> None:
    """Show the effective settings, with secrets hidden, and report invalid ones."""
    from pydantic import SecretStr

    from goodword.config.loading import load
    from goodword.config.settings import PREFIX, Settings

    with reported_errors():
        settings = load()
    for name in Settings.model_fields:
        value = getattr(settings, name)
        shown = "********" if isinstance(value, SecretStr) else "" if value is None else value
        if isinstance(shown, Mapping):
            shown = "; ".join(f"{language}={text}" for language, text in shown.items())
        shown = " ".join(shown) if isinstance(shown, tuple) else shown
        typer.echo(f"{PREFIX}{name.upper()}={shown}")
    if not settings.embedded:
        with reported_errors():
            _ = settings.secret  # only the embedded database generates its own


@keys.command("rotate")
def rotate_keys(
    now: Annotated[
        bool,
        typer.Option("--now", help="End the old keys and all their tokens at once, as after a theft."),
    ] = False,
) -> None:
    """Create new signing keys. They are published now, and sign when clients have had time to read them."""
    from goodword.sessions.keys import LEAD, rotate

    async def rotate_now(session: "AsyncSession", services: "Services") -> None:
        await rotate(session, services.keys.signing_keys, at_once=now, now=services.clock())

    run_in_transaction(rotate_now)
    if now:
        typer.echo("New signing keys are in use. All older tokens are invalid.")
    else:
        typer.echo(f"New signing keys are published. They sign in {LEAD.seconds} seconds.")


def _open_standard_streams() -> None:
    """Open those that are closed on the null device. Otherwise a socket or the database would get their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, number)
            if null != number:
                os.close(null)
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w"))


def main(arguments: list[str] | None = None) -> None:
    """Run the command with these arguments, by default those of the process."""
    _open_standard_streams()
    app(args=arguments, prog_name="goodword")
