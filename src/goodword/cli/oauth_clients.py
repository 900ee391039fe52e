"""`goodword oauth-client`: the operator's side of the registry of apps."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.config.loading import load, with_own_secret
from goodword.config.settings import SettingsError

app = typer.Typer(help="Apps that may ask people for access (OAuth 2.0).", no_args_is_help=True)

T = TypeVar("T")
Work = Callable[[AsyncSession, bytes], Awaitable[T]]
ClientId = Annotated[str, typer.Argument(help="As `list` shows it.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="As people will read it when they are asked.")],
    redirect_uri: Annotated[list[str] | None, typer.Option(help="Where answers go, to the letter.")] = None,
    public: Annotated[
        bool, typer.Option("--public", help="It cannot keep a secret: it runs with its users.")
    ] = False,
    scope: Annotated[
        list[str] | None, typer.Option(help="What it may ask for: one of them each time.")
    ] = None,
    grant: Annotated[
        list[str] | None, typer.Option(help="How it gets tokens; else what its scopes need.")
    ] = None,
) -> None:
    """Register an app, and show its secret, once."""
    from goodword.clock import utc_now
    from goodword.oauth import clients

    scopes = [part for text in scope or ["openid", "profile"] for part in text.split()]
    refreshing = ["refresh_token"] if "offline_access" in scopes else []
    grants = [part for text in grant or ["authorization_code", *refreshing] for part in text.split()]

    async def work(session: AsyncSession, key: bytes) -> tuple[str, str | None]:
        made, secret = await clients.register(
            session,
            key,
            name=name,
            redirect_uris=redirect_uri or [],
            scope=scopes,
            grant_types=grants,
            public=public,
            now=utc_now(),
        )
        return made.client_id, secret

    client_id, secret = _run(work)
    typer.echo(f"client_id      {client_id}")
    if secret:
        typer.echo(f"client_secret  {secret}")
        typer.echo("The secret is not shown again. Give it to the app only.", err=True)


@app.command("list")
def list_clients() -> None:
    """Show the apps that are registered."""
    from goodword.oauth import clients

    async def work(session: AsyncSession, _key: bytes) -> list[str]:
        return [
            f"{one.client_id}  {'public' if one.secret_mac is None else 'confidential'}"
            f"{', disabled' if one.disabled_at else ''}  {one.name}\n"
            f"    {one.scope}  ({one.grant_types})\n"
            f"    {' '.join(one.redirect_uris.split())}"
            for one in await clients.list_clients(session)
        ]

    for line in _run(work):
        typer.echo(line)


@app.command()
def rotate(client_id: ClientId) -> None:
    """Give an app a new secret, and show it, once. The old one is dead."""
    from goodword.oauth import clients

    async def work(session: AsyncSession, key: bytes) -> str | None:
        return await clients.rotate(session, key, client_id)

    secret = _run(work)
    if secret is None:
        raise _refusal("There is no such app with a secret.")
    typer.echo(f"client_secret  {secret}")


@app.command()
def disable(client_id: ClientId) -> None:
    """Let an app do nothing more: its tokens are dead at once, everywhere."""
    from goodword.clock import utc_now
    from goodword.oauth import clients

    async def work(session: AsyncSession, _key: bytes) -> bool:
        return await clients.disable(session, client_id, now=utc_now())

    if not _run(work):
        raise _refusal("There is no such app.")
    typer.echo("Disabled.")


def _run(work: Work[T]) -> T:
    """Do something in one transaction on the database that the settings name."""
    from goodword.oauth.clients import ClientInvalid

    try:
        return asyncio.run(_in_transaction(work))
    except (SettingsError, ClientInvalid, OSError, DBAPIError) as error:
        raise _refusal(str(error)) from None


async def _in_transaction(work: Work[T]) -> T:
    from goodword.composition import opened

    settings = with_own_secret(load())
    # It refuses a wrong secret key, with which a client's secret would never work.
    async with opened(settings) as services, services.database.transaction() as session:
        return await work(session, services.keys.oauth)


def _refusal(text: str) -> typer.Exit:
    typer.secho(text, fg="red", err=True)
    return typer.Exit(2)
