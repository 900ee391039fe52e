"""Run the work of a command with open services, and report expected errors on standard error.

A command exits with 1 if the operation was refused. It exits with 2 if it could not be attempted: wrong arguments,
wrong settings, an unusable database.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from goodword.config.settings import Settings
    from goodword.services import Services

T = TypeVar("T")
Migrate = Literal["never", "embedded", "always"]
"""Which databases to migrate first. The embedded database is created too."""


def run(work: "Callable[[Services], Awaitable[T]]", *, migrate: Migrate = "never") -> T:
    """Return the result of `work`, called with open services.

    A command that does not migrate names the database that it uses on standard error.
    """
    from goodword.composition import opened

    settings = load_settings(create=migrate != "never")
    migrating = migrate == "always" or (migrate == "embedded" and settings.embedded)
    if migrate == "never":
        typer.echo(f"Database: {settings.database_name}", err=True)

    async def run_with_services() -> T:
        async with opened(settings, migrate=migrating) as services:
            return await work(services)

    with reported_errors():
        return asyncio.run(run_with_services())


def run_in_transaction(work: "Callable[[AsyncSession, Services], Awaitable[T]]") -> T:
    """Return the result of `work`, called in a transaction that is committed afterwards."""

    async def run_and_commit(services: "Services") -> T:
        async with services.database.transaction() as session:
            return await work(session, services)

    return run(run_and_commit)


def load_settings(*, create: bool = False) -> "Settings":
    """Return the settings, with the secret key of the data folder if they name none.

    With `create`, make the data folder and the key. Without it, exit if the embedded database does not exist: in
    another folder than that of the service, a command would make a second installation.
    """
    from goodword.config.loading import load, with_own_secret

    with reported_errors():
        settings = load()
        if create and settings.embedded:
            settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif settings.sqlite_file and not settings.sqlite_file.exists():
            fail(
                f"There is no database at {settings.database_name}. Set GOODWORD_DATA_DIR to the folder of the "
                "service, or create a database with `goodword serve` or `goodword migrate`.",
                status=2,
            )
        return with_own_secret(settings, create=create)


@contextmanager
def reported_errors() -> Iterator[None]:
    """Report an expected error on standard error and exit."""
    from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout

    from goodword.config.settings import SettingsError
    from goodword.db.error_causes import explain
    from goodword.errors import AppError

    try:
        yield
    except AppError as error:
        fail(error.detail)
    except DBAPIError as error:
        # The first line: those that follow quote the statement.
        fail(explain(error) or str(error).partition("\n")[0], status=2)
    except (SettingsError, OSError, PoolTimeout) as error:
        fail(str(error), status=2)


def fail(message: str, *, status: int = 1) -> NoReturn:
    """Write the message to standard error and exit."""
    typer.secho(message, fg="red", err=True)
    raise typer.Exit(status)
