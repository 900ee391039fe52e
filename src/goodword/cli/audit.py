"""`goodword audit …`: what happened, and whether anybody has meddled with the record of it."""

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from goodword.audit.actions import Action

if TYPE_CHECKING:
    from goodword.audit.hash_chain import Head
    from goodword.audit.models import AuditEvent
    from goodword.config.settings import Settings
    from goodword.services import Services

T = TypeVar("T")

app = typer.Typer(help="Who did what to what, and from where.", no_args_is_help=True)


@app.command()
def verify(
    head: Annotated[
        str | None,
        typer.Option(metavar="N:HASH", help="A head that you kept: no row up to it may be missing."),
    ] = None,
) -> None:
    """Check every row against its seal. Ends with 1, naming the first bad row, if there is one.

    Keep the head that it prints somewhere else: with --head it shows later that no rows were cut off.
    """
    from goodword.audit import hash_chain

    kept = _head(head) if head is not None else None

    async def work(services: "Services") -> "tuple[Head, int]":
        found = await hash_chain.verify(services.database, services.keys.audit, head=kept)
        return found, await hash_chain.overdue(services.database, now=services.clock())

    try:
        found, waiting = _run(work)
    except hash_chain.Broken as broken:
        _refuse(str(broken))
    typer.echo(f"{found.sequence} rows are as they were sealed.\nhead {found}")
    if waiting:
        typer.secho(
            f"{waiting} rows have waited for their seal for more than a minute: does a worker run?",
            fg="yellow",
            err=True,
        )


@app.command()
def show(
    user: Annotated[uuid.UUID | None, typer.Option(help="By or about the person with this id.")] = None,
    action: Annotated[
        Action | None, typer.Option(help="Only events of this name.", show_choices=False)
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="In UTC.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The latest so many.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show events, the latest last."""
    from goodword.audit import service

    async def work(services: "Services") -> "list[AuditEvent]":
        async with services.database.readers() as session:
            found = await service.page(
                session,
                user_id=user,
                action=action,
                since=since.replace(tzinfo=UTC) if since else None,
                limit=limit,
            )
        return list(found[:limit])

    for event in reversed(_run(work)):
        typer.echo(json.dumps(_facts(event)) if as_json else _line(event))


def _facts(event: "AuditEvent") -> dict[str, Any]:
    return {
        "id": str(event.id),
        "at": event.created_at.isoformat(),
        "action": event.action,
        "actor": event.actor,
        "actor_id": _text(event.actor_id),
        "person_id": _text(event.person_id),
        "subject": event.subject,
        "subject_id": _text(event.subject_id),
        "client": event.client,
        "address": event.address,
        "request_id": event.request_id,
        "details": json.loads(event.details),
        "sequence": event.sequence,
    }


def _line(event: "AuditEvent") -> str:
    by = f"{event.actor} {event.actor_id}" if event.actor_id else event.actor
    about = f"{event.subject} {event.subject_id}" if event.subject_id else event.subject
    details = " ".join(f"{name}={value}" for name, value in json.loads(event.details).items())
    at = f"{event.created_at:%Y-%m-%d %H:%M:%S}"
    return f"{at}  {event.action:22}  {by}  {about}  {event.address or '-'}  {details}".rstrip()


def _text(value: uuid.UUID | None) -> str | None:
    return str(value) if value else None


def _head(text: str) -> "Head":
    from goodword.audit.hash_chain import Head

    given = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text, re.ASCII)
    if given is None:
        raise typer.BadParameter("It is a number, a colon and 64 hexadecimal digits, as `verify` prints it.")
    return Head(int(given[1]), bytes.fromhex(given[2]))


def _run(work: "Callable[[Services], Awaitable[T]]") -> T:
    from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout

    from goodword.config.loading import load, with_own_secret
    from goodword.config.settings import SettingsError

    try:
        return asyncio.run(_with_services(work, with_own_secret(load())))
    except (SettingsError, OSError, DBAPIError, PoolTimeout) as error:
        _refuse(f"goodword cannot do this:\n{error}", code=2)


async def _with_services(work: "Callable[[Services], Awaitable[T]]", settings: "Settings") -> T:
    from goodword.composition import opened

    async with opened(
        settings
    ) as services:  # it refuses a wrong secret key, with which every row would look bad
        return await work(services)


def _refuse(message: str, code: int = 1) -> NoReturn:
    typer.secho(message, fg="red", err=True)
    raise typer.Exit(code)
