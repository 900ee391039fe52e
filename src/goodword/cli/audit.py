"""`goodword audit`: show the audit log and verify its hash chain."""

import json
import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from goodword.audit.actions import Action
from goodword.cli.runner import fail, run

if TYPE_CHECKING:
    from goodword.audit.hash_chain import Head
    from goodword.audit.models import AuditEvent
    from goodword.services import Services

app = typer.Typer(help="The audit log.", no_args_is_help=True)


@app.command()
def verify(
    head: Annotated[
        str | None,
        typer.Option(metavar="N:HASH", help="A head printed earlier: no row up to it may be missing."),
    ] = None,
) -> None:
    """Verify the hash chain. Exits with 1 and reports the first invalid row if there is one.

    Store the printed head in another place: with --head, a later run detects that the last rows were deleted.
    """
    from goodword.audit import hash_chain

    expected = _parse_head(head) if head is not None else None

    async def verify_chain(services: "Services") -> "tuple[Head, int]":
        last = await hash_chain.verify(services.database, services.keys.audit, head=expected)
        return last, await hash_chain.count_overdue(services.database, now=services.clock())

    try:
        last, unsealed = run(verify_chain)
    except hash_chain.ChainBroken as error:
        fail(str(error))
    typer.echo(f"{last.sequence} rows are valid.\nhead {last}")
    if unsealed:
        warning = f"{unsealed} rows have not been sealed for more than a minute. Is a worker running?"
        typer.secho(warning, fg="yellow", err=True)


@app.command()
def show(
    user: Annotated[uuid.UUID | None, typer.Option(help="Only events by or about this user id.")] = None,
    action: Annotated[
        Action | None, typer.Option(help="Only events of this action.", show_choices=False)
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Only events from this time on, in UTC.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the latest events.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object per line.")] = False,
) -> None:
    """Show events, the latest last."""
    from goodword.audit import service

    start = since.replace(tzinfo=UTC) if since else None

    async def read_page(services: "Services") -> "list[AuditEvent]":
        async with services.database.readers() as session:
            rows = await service.list_events(session, user_id=user, action=action, since=start, limit=limit)
        return list(rows[:limit])

    for event in reversed(run(read_page)):
        typer.echo(json.dumps(_as_dict(event)) if as_json else _as_line(event))


def _as_dict(event: "AuditEvent") -> dict[str, Any]:
    return {
        "id": str(event.id),
        "at": event.created_at.isoformat(),
        "action": event.action,
        "actor": event.actor,
        "actor_id": _id_or_none(event.actor_id),
        "person_id": _id_or_none(event.person_id),
        "subject": event.subject,
        "subject_id": _id_or_none(event.subject_id),
        "client": event.client,
        "address": event.address,
        "request_id": event.request_id,
        "details": json.loads(event.details),
        "sequence": event.sequence,
    }


def _as_line(event: "AuditEvent") -> str:
    by = f"{event.actor} {event.actor_id}" if event.actor_id else event.actor
    about = f"{event.subject} {event.subject_id}" if event.subject_id else event.subject
    details = " ".join(f"{name}={value}" for name, value in json.loads(event.details).items())
    at = f"{event.created_at:%Y-%m-%d %H:%M:%S}"
    return f"{at}  {event.action:22}  {by}  {about}  {event.address or '-'}  {details}".rstrip()


def _id_or_none(value: uuid.UUID | None) -> str | None:
    return str(value) if value else None


def _parse_head(text: str) -> "Head":
    from goodword.audit.hash_chain import Head

    match = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text, re.ASCII)
    if match is None:
        raise typer.BadParameter(
            "Must be a number, a colon and 64 hexadecimal digits, as `verify` prints it."
        )
    return Head(int(match[1]), bytes.fromhex(match[2]))
