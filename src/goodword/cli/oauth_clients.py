"""`goodword oauth-client`: create, list, rotate and disable OAuth clients."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from goodword.cli.runner import fail, run_in_transaction

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from goodword.services import Services

app = typer.Typer(help="OAuth 2.0 clients.", no_args_is_help=True)

ClientId = Annotated[str, typer.Argument(help="The client id, as `list` shows it.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="The name that the consent page shows.")],
    redirect_uri: Annotated[list[str] | None, typer.Option(help="An allowed redirect URI, exactly.")] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Create a public client, which has no secret.")
    ] = False,
    scope: Annotated[
        list[str] | None, typer.Option(help="An allowed scope. Default: openid profile.")
    ] = None,
    grant: Annotated[
        list[str] | None, typer.Option(help="An allowed grant type. Default: those its scopes need.")
    ] = None,
    pkce: Annotated[
        Literal["required", "optional"],
        typer.Option(help="Whether the client must use PKCE. A public client always must."),
    ] = "required",
    id_token_alg: Annotated[
        Literal["RS256", "ES256"], typer.Option(help="The algorithm that signs its ID tokens.")
    ] = "RS256",  # noqa: S107
    id_token_claims: Annotated[
        bool, typer.Option("--id-token-claims", help="Put name and address into ID tokens, as scopes allow.")
    ] = False,
    post_logout_redirect_uri: Annotated[
        list[str] | None, typer.Option(help="An allowed address after a logout, exactly.")
    ] = None,
) -> None:
    """Create a client and show its secret. The secret is shown only once."""
    from goodword.oauth import registration
    from goodword.oauth.clients import default_grants
    from goodword.oauth.errors import ClientInvalid

    scopes = [part for text in scope or ["openid", "profile"] for part in text.split()]
    grants = [part for text in grant or default_grants(scopes) for part in text.split()]

    async def register(session: "AsyncSession", services: "Services") -> tuple[str, str | None]:
        client, secret = await registration.register(
            session,
            services.keys.oauth,
            name=name,
            redirect_uris=redirect_uri or [],
            scope=scopes,
            grant_types=grants,
            public=public,
            pkce_required=pkce == "required",
            id_token_alg=id_token_alg,
            claims_in_id_token=id_token_claims,
            post_logout_redirect_uris=post_logout_redirect_uri or [],
            now=services.clock(),
        )
        return client.client_id, secret

    try:
        client_id, secret = run_in_transaction(register)
    except ClientInvalid as error:
        fail(str(error))
    typer.echo(f"client_id      {client_id}")
    if secret:
        typer.echo(f"client_secret  {secret}")
        typer.echo("The secret is not shown again.", err=True)


@app.command("list")
def list_clients() -> None:
    """List the registered clients."""
    from goodword.oauth import registration

    for client in run_in_transaction(lambda session, _: registration.list_clients(session)):
        kind = "public" if client.secret_mac is None else "confidential"
        typer.echo(f"{client.client_id}  {kind}{', disabled' if client.disabled_at else ''}  {client.name}")
        typer.echo(f"    {client.scope}  ({client.grant_types})")
        pkce = "required" if client.pkce_required else "optional"
        claims = ", claims in ID tokens" if client.claims_in_id_token else ""
        typer.echo(f"    ID tokens {client.id_token_alg}, PKCE {pkce}{claims}")
        typer.echo(f"    {' '.join(client.redirect_uris.split())}")
        if client.post_logout_redirect_uris:
            typer.echo(f"    after logout: {' '.join(client.post_logout_redirect_uris.split())}")


@app.command()
def rotate(client_id: ClientId) -> None:
    """Replace the secret of a client and show the new one once. The old secret is invalid at once."""
    from goodword.oauth import registration

    secret = run_in_transaction(
        lambda session, services: registration.rotate(session, services.keys.oauth, client_id)
    )
    if secret is None:
        fail("There is no such confidential client.")
    typer.echo(f"client_secret  {secret}")


@app.command()
def disable(client_id: ClientId) -> None:
    """Disable a client. Its tokens are invalid at once."""
    from goodword.oauth import registration

    if not run_in_transaction(
        lambda session, services: registration.disable(session, client_id, now=services.clock())
    ):
        fail("There is no such client.")
    typer.echo("Disabled.")
