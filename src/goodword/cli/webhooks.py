"""`goodword webhooks`: create, list and change webhook endpoints, and send deliveries again."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from goodword.cli.runner import fail, run_in_transaction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from goodword.services import Services
    from goodword.webhooks.models import WebhookDelivery, WebhookEndpoint

app = typer.Typer(help="Webhooks to the servers of a product.", no_args_is_help=True)

EndpointId = Annotated[uuid.UUID, typer.Argument(help="The id of the endpoint, as `list` shows it.")]


@app.command()
def create(
    url: Annotated[str, typer.Argument(help="A public https URL that answers POST with 2xx.")],
    kind: Annotated[list[str], typer.Option(help="A kind of event, or `all`. Repeat for more.")],
    description: Annotated[str | None, typer.Option(help="A note for administrators.")] = None,
    program: Annotated[
        str | None, typer.Option(metavar="SLUG", help="The only program whose events it gets. Default: all.")
    ] = None,
) -> None:
    """Create an endpoint and show its secret. It is shown only once."""
    from pydantic import ValidationError

    from goodword.webhooks import service
    from goodword.webhooks.kinds import WebhookKind
    from goodword.webhooks.schemas import WebhookEndpointCreate

    chosen: list[str] = list(WebhookKind) if kind == ["all"] else kind
    if unknown := sorted(set(chosen) - set(WebhookKind)):
        fail(f"No such kind: {', '.join(unknown)}. There are: {', '.join(WebhookKind)}.")
    try:
        given = {"url": url, "kinds": chosen, "description": description, "program": program}
        body = WebhookEndpointCreate.model_validate(given)
    except ValidationError as error:
        fail(str(error.errors()[0]["msg"]))

    async def create_endpoint(session: "AsyncSession", services: "Services") -> tuple[uuid.UUID, str]:
        now = services.clock()
        endpoint, secret = await service.create(session, services, body, within=None, now=now)
        return endpoint.id, secret

    endpoint_id, secret = run_in_transaction(create_endpoint)
    typer.echo(f"{endpoint_id}  {secret}")
    typer.echo("The secret is not shown again.", err=True)


@app.command("list")
def list_endpoints() -> None:
    """List the endpoints."""
    from goodword.webhooks import service

    async def find(session: "AsyncSession", services: "Services") -> "list[tuple[WebhookEndpoint, str]]":
        slugs = {program.id: program.slug for program in (await services.programs.all()).values()}
        found = await service.list_endpoints(session, within=None, after=None, limit=service.MAX_ENDPOINTS)
        return [(one, slugs[one.program_id] if one.program_id else "all programs") for one in found]

    for endpoint, program in run_in_transaction(find):
        state = "enabled" if endpoint.is_enabled else f"disabled ({endpoint.disabled_reason})"
        typer.echo(f"{endpoint.id}  {endpoint.url}  {program}, {state}")
        typer.echo(f"    {endpoint.kinds}")


@app.command()
def enable(endpoint_id: EndpointId) -> None:
    """Send events to an endpoint again."""
    _set_status(endpoint_id, "enabled")


@app.command()
def disable(endpoint_id: EndpointId) -> None:
    """Send no more events to an endpoint."""
    _set_status(endpoint_id, "disabled")


def _set_status(endpoint_id: uuid.UUID, status: str) -> None:
    from goodword.webhooks import service
    from goodword.webhooks.schemas import WebhookEndpointUpdate

    body = WebhookEndpointUpdate.model_validate({"status": status})
    run_in_transaction(
        lambda session, services: service.update(session, services, endpoint_id, body, within=None)
    )
    typer.echo(f"{status.title()}.")


@app.command()
def delete(endpoint_id: EndpointId) -> None:
    """Delete an endpoint and its secrets."""
    from goodword.webhooks import service

    run_in_transaction(
        lambda session, services: service.delete(session, endpoint_id, within=None, now=services.clock())
    )
    typer.echo("Deleted.")


@app.command()
def rotate_secret(endpoint_id: EndpointId) -> None:
    """Give an endpoint a new secret and show it. For a day the previous one signs too."""
    from goodword.webhooks import service

    _, secret = run_in_transaction(
        lambda session, services: service.rotate_secret(
            session, services, endpoint_id, within=None, now=services.clock()
        )
    )
    typer.echo(secret)
    typer.echo("The secret is not shown again.", err=True)


@app.command()
def test(endpoint_id: EndpointId) -> None:
    """Send a test event to an endpoint. The worker sends it."""
    from goodword.webhooks import deliveries

    delivery = run_in_transaction(
        lambda session, services: deliveries.send_test(
            session, endpoint_id, within=None, now=services.clock()
        )
    )
    typer.echo(f"Delivery {delivery.id}")


@app.command("deliveries")
def list_deliveries(
    endpoint_id: EndpointId,
    status: Annotated[
        str | None, typer.Option(help="Only those that are `pending`, `succeeded` or `failed`.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")] = 50,
) -> None:
    """List deliveries to an endpoint, the newest first."""
    from goodword.webhooks import deliveries
    from goodword.webhooks.models import DeliveryStatus

    if status is not None and status not in set(DeliveryStatus):
        fail(f"No such status: {status}. There are: {', '.join(DeliveryStatus)}.")
    wanted = DeliveryStatus(status) if status else None

    async def find(session: "AsyncSession", _services: "Services") -> "Sequence[WebhookDelivery]":
        return await deliveries.list_deliveries(
            session, endpoint_id, within=None, status=wanted, after=None, limit=limit
        )

    for one in run_in_transaction(find)[:limit]:
        answer = one.response_status or one.error or "no attempt"
        typer.echo(f"{one.created_at:%Y-%m-%d %H:%M:%S}Z  {one.id}  {one.kind}  {one.status}, {answer}")


@app.command()
def replay(
    endpoint_id: EndpointId,
    since: Annotated[datetime, typer.Option(help="The first time, in UTC, such as 2030-01-31T12:00:00.")],
    until: Annotated[datetime | None, typer.Option(help="The end, in UTC. Default: now.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Send also what has succeeded. Default: only what has failed.")
    ] = False,
) -> None:
    """Send the deliveries of a time again. The worker sends them."""
    from datetime import UTC

    from goodword.webhooks import deliveries

    async def replay_all(session: "AsyncSession", services: "Services") -> tuple[int, datetime | None]:
        now = services.clock()
        return await deliveries.replay_range(
            session,
            endpoint_id,
            since=since.replace(tzinfo=UTC),
            until=until.replace(tzinfo=UTC) if until else now,
            only_failed=not everything,
            within=None,
            now=now,
        )

    count, following = run_in_transaction(replay_all)
    typer.echo(f"Deliveries: {count}")
    if following:
        typer.echo(f"There are more. Continue with --since {following:%Y-%m-%dT%H:%M:%S.%f}", err=True)
