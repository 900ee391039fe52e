"""`goodword api-key`: create, list and revoke API keys."""

from typing import TYPE_CHECKING, Annotated

import typer

from goodword.cli.runner import fail, run_in_transaction

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from goodword.api_keys.models import ApiKey
    from goodword.services import Services

app = typer.Typer(help="Keys for the servers of a product.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Option(help="A name, to tell the keys apart.")],
    scope: Annotated[list[str], typer.Option(help="A scope, such as participants:write. Repeat for more.")],
    program: Annotated[
        str | None,
        typer.Option(metavar="SLUG", help="The only program that the key can reach. Default: all."),
    ] = None,
    expires_in: Annotated[
        int | None,
        typer.Option(metavar="DAYS", min=1, max=3660, help="Days until the key expires. Default: never."),
    ] = None,
) -> None:
    """Create a key and show it. It is shown only once."""
    from datetime import timedelta

    from goodword.api_keys import service
    from goodword.oauth.scopes import SERVER_SCOPES

    chosen = [part for text in scope for part in text.split()]
    if unknown := sorted(set(chosen) - SERVER_SCOPES.keys()):
        fail(f"No such scope: {', '.join(unknown)}. There are: {', '.join(SERVER_SCOPES)}.")

    async def create_key(session: "AsyncSession", services: "Services") -> str:
        found = None
        if program is not None:
            found = await services.programs.by_slug(program)
            if found is None:
                fail(f"There is no program {program}.")
        _, text = await service.create(
            session,
            services.keys.api_keys,
            name=name,
            scope=chosen,
            program_id=found.id if found else None,
            lifetime=None if expires_in is None else timedelta(days=expires_in),
            now=services.clock(),
        )
        return text

    try:
        text = run_in_transaction(create_key)
    except service.ApiKeyInvalid as error:
        fail(str(error))
    typer.echo(text)
    typer.echo("The key is not shown again.", err=True)


@app.command("list")
def list_keys() -> None:
    """List the keys that are not revoked."""
    from goodword.api_keys import service

    async def list_with_programs(session: "AsyncSession", services: "Services") -> list[tuple["ApiKey", str]]:
        slugs = {program.id: program.slug for program in (await services.programs.all()).values()}
        return [
            (key, slugs[key.program_id] if key.program_id else "all programs")
            for key in await service.list_keys(session)
        ]

    for key, program in run_in_transaction(list_with_programs):
        end = f"until {key.expires_at:%Y-%m-%d}" if key.expires_at else "does not expire"
        used = f"last used {key.last_used_on:%Y-%m-%d}" if key.last_used_on else "not used yet"
        typer.echo(f"{key.name}  {program}, {end}, {used}")
        typer.echo(f"    {key.scope}")


@app.command()
def revoke(name: Annotated[str, typer.Argument(help="The name, as `list` shows it.")]) -> None:
    """Revoke a key at once."""
    from goodword.api_keys import service

    if not run_in_transaction(lambda session, services: service.revoke(session, name, now=services.clock())):
        fail("There is no such key.")
    typer.echo("Revoked.")
