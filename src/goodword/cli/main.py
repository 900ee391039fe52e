"""The `goodword` command."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated

import typer
from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError

from goodword.actor import Actor, ActorContext, actor_context
from goodword.cli import admin as administration, audit, jobs, oauth_clients as oauth
from goodword.config.loading import NOT_BUILT, load, with_own_secret
from goodword.config.settings import PREFIX, Settings, SettingsError

app = typer.Typer(
    help="A self-hosted referral service.", no_args_is_help=True, pretty_exceptions_show_locals=False
)


@app.callback()
def begin() -> None:
    """What a command does, the operator does. Its output is its answer, so its log goes to standard error."""
    import structlog

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    actor_context.set(ActorContext(Actor.OPERATOR))


def _load() -> Settings:
    try:
        return with_own_secret(load())
    except (SettingsError, OSError) as error:
        raise _refusal(error) from None


def _refusal(error: Exception) -> typer.Exit:
    typer.secho(f"goodword cannot start:\n{error}", fg="red", err=True)
    return typer.Exit(2)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(help="Processes.", min=1)] = 1,
    migrate: Annotated[bool, typer.Option("--migrate", help="Bring the schema up to date first.")] = False,
) -> None:
    """Run the service. On the embedded database it makes and migrates all that it needs."""
    import uvicorn

    from goodword.web.uvicorn_protocol import room_for_connections

    settings = _load()
    try:
        asyncio.run(_prepare(settings, migrate=migrate or settings.embedded))
    except (SettingsError, OSError, DBAPIError) as error:
        raise _refusal(error) from None
    with _board(workers):
        uvicorn.run(
            "goodword.app:from_environment",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            http="goodword.web.uvicorn_protocol:HttpProtocol",
            ws="none",
            limit_concurrency=room_for_connections(),
            timeout_graceful_shutdown=20,
            timeout_keep_alive=15,
        )


@contextmanager
def _board(workers: int) -> Iterator[None]:
    """Where several processes tell each other what is outdated, and count together; one has nobody to tell."""
    if workers == 1:
        yield
        return
    from goodword.app import NODE
    from goodword.cache.memory import InvalidationTable
    from goodword.rate_limits.counters import Counts

    if sys.platform == "linux":  # memory with no name: nobody can tidy it away, and no folder is needed
        memory = os.memfd_create("goodword")
        file = Path(f"/proc/{os.getpid()}/fd/{memory}")
    else:
        file = Path(NamedTemporaryFile(prefix="goodword-", delete=False).name)  # noqa: SIM115
    InvalidationTable.create(file)
    Counts.create(file)
    os.environ[NODE] = f"{workers} {file}"  # the only way to reach processes that uvicorn starts
    yield


async def _prepare(settings: Settings, *, migrate: bool) -> None:
    """What would stop the service is found here, once, and not by each of its processes."""
    from goodword.composition import opened

    if settings.embedded:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with opened(settings, migrate=migrate):
        pass


@app.command()
def worker(
    concurrency: Annotated[
        int, typer.Option(help="Jobs at once: each may wait for a slow mail server.", min=1, max=64)
    ] = 4,
) -> None:
    """Send letters and do whatever else waits to be done, until it is told to end. Several may run."""
    from goodword.composition import run_worker
    from goodword.logs import configure_logging

    settings = _load()
    try:
        asyncio.run(_prepare(settings, migrate=settings.embedded))
        configure_logging(settings.log_format)
        asyncio.run(run_worker(settings, concurrency=concurrency))
    except (SettingsError, OSError, DBAPIError) as error:
        raise _refusal(error) from None


@app.command()
def migrate() -> None:
    """Bring the schema of the database up to date. Safe to run from several places at once."""
    from goodword import migrations

    settings = _load()
    try:
        asyncio.run(migrations.upgrade(settings.database))
    except (SettingsError, OSError, DBAPIError) as error:
        raise _refusal(error) from None
    typer.echo(f"The schema is at {migrations.head()}.")


@app.command()
def config() -> None:
    """Show the settings in force, secrets hidden, and what is wrong with them."""
    try:
        settings = load()
    except SettingsError as error:
        raise _refusal(error) from None
    for name in Settings.model_fields:
        value = getattr(settings, name)
        shown = "********" if isinstance(value, SecretStr) else "" if value is None else value
        shown = " ".join(shown) if isinstance(shown, tuple) else shown
        given = name in settings.model_fields_set
        note = "  # has no effect yet: its part is not built" if given and name in NOT_BUILT else ""
        typer.echo(f"{PREFIX}{name.upper()}={shown}{note}")
    if not settings.embedded:
        try:
            _ = settings.secret  # made by itself on the embedded database alone
        except SettingsError as error:
            raise _refusal(error) from None


keys = typer.Typer(help="The keys that access tokens are signed with.", no_args_is_help=True)
app.add_typer(keys, name="keys")
app.add_typer(administration.admin, name="admin")
app.add_typer(administration.users, name="users")
app.add_typer(oauth.app, name="oauth-client")
app.add_typer(jobs.app, name="jobs")
app.add_typer(audit.app, name="audit")


@keys.command("rotate")
def rotate_keys(
    now: Annotated[bool, typer.Option("--now", help="Old tokens end at once: a key was stolen.")] = False,
) -> None:
    """Sign with a new key. Running processes follow within seconds; tokens of the old one live on, or not."""
    settings = _load()
    try:
        asyncio.run(_rotate(settings, at_once=now))
    except (SettingsError, OSError, DBAPIError) as error:
        raise _refusal(error) from None
    typer.echo("A new key signs from now on." + (" All older access tokens have ended." if now else ""))


async def _rotate(settings: Settings, *, at_once: bool) -> None:
    from goodword.composition import opened
    from goodword.sessions.keys import rotate

    async with opened(settings) as services, services.database.transaction() as session:
        await rotate(session, services.keys.signing_keys, at_once=at_once, now=services.clock())
