"""`goodword users`: find, show, disable, enable and erase users."""

import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from goodword.cli.runner import fail, run, run_in_transaction

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from goodword.services import Services
    from goodword.users.models import User

T = TypeVar("T")

MAX_LISTED = 50

app = typer.Typer(help="Find, show, disable, enable and erase users.", no_args_is_help=True)


def text_argument(metavar: str) -> Any:
    """Return an argument that accepts printable text only."""
    return typer.Argument(metavar=metavar, callback=_check_text)


def _check_text(value: str) -> str:
    # Bytes that are not UTF-8 arrive as lone surrogates, which no database stores.
    if not value or not value.isprintable():
        raise typer.BadParameter("Must be printable text.")
    return value


EmailOrId = Annotated[str, text_argument("EMAIL|ID|EXTERNAL-ID")]


@app.command()
def find(part: Annotated[str, text_argument("TEXT")]) -> None:
    """List the users whose e-mail address, name or external id contains a text, latest first."""
    from goodword.admin import service

    users = run_in_transaction(lambda session, _: service.list_users(session, part=part, limit=MAX_LISTED))
    if not users:
        fail("No user was found.")
    for user in users[:MAX_LISTED]:
        marks = [user.status, "administrator"] if user.is_admin else [user.status]
        marks += [f"external id {user.external_id}"] if user.external_id else []
        address = user.email or (f"{user.reported_email} (reported)" if user.reported_email else "-")
        typer.echo(f"{user.id}  {address}  {_full_name(user) or '-'}  {', '.join(marks)}")
    if len(users) > MAX_LISTED:
        typer.echo(f"There are more than {MAX_LISTED} users. Give a longer text.", err=True)


@app.command()
def show(email_or_id: EmailOrId) -> None:
    """Show a user."""
    user, program = run_for_user(email_or_id, _load)
    fields = {
        "id": user.id,
        "external id": user.external_id,
        "program": program,
        "reported email": user.reported_email,
        "email": user.email,
        "verified": _timestamp(user.verified_at),
        "name": _full_name(user),
        "status": user.status,
        "administrator": "yes" if user.is_admin else "no",
        "joined": _timestamp(user.created_at),
        "signed up": _timestamp(user.signed_up_at),
        "erased": _timestamp(user.erased_at),
    }
    for name, value in fields.items():
        typer.echo(f"{name + ':':16}{value or '-'}")


@app.command()
def disable(email_or_id: EmailOrId) -> None:
    """Disable a user: end all sessions, prevent sign-in and suspend the referral codes."""
    from goodword.admin import service

    user = run_for_user(
        email_or_id,
        lambda session, user_id, services: service.disable(session, user_id, by=None, now=services.clock()),
    )
    typer.echo(f"{_named(user)} is disabled.")


@app.command()
def enable(email_or_id: EmailOrId) -> None:
    """Enable a disabled user."""
    from goodword.admin import service

    user = run_for_user(email_or_id, lambda session, user_id, _: service.enable(session, user_id))
    typer.echo(f"{_named(user)} is enabled.")


@app.command()
def erase(
    email_or_id: EmailOrId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Erase the personal data of a user permanently. Users that they referred stay."""
    from goodword.admin import service

    async def confirm_and_erase(services: "Services") -> uuid.UUID:
        async with services.database.transaction() as session:
            user = await service.get(session, await service.find_id(session, email_or_id))
        if not yes:
            typer.confirm(f"Erase {_named(user)} permanently?", abort=True)
        async with services.database.transaction() as session:
            # By id, because the address may belong to another user by now.
            await service.erase(session, services, user.id, by=None)
        return user.id

    typer.echo(f"{run(confirm_and_erase)} is erased.")


def run_for_user(email_or_id: str, work: "Callable[[AsyncSession, uuid.UUID, Services], Awaitable[T]]") -> T:
    """Return the result of `work`, called with the id of a user and committed."""
    from goodword.admin import service

    async def find_and_run(session: "AsyncSession", services: "Services") -> T:
        return await work(session, await service.find_id(session, email_or_id), services)

    return run_in_transaction(find_and_run)


async def _load(
    session: "AsyncSession", user_id: uuid.UUID, services: "Services"
) -> "tuple[User, str | None]":
    """Return a user, and the slug of the program whose API key reported the user."""
    from goodword.admin import service

    user = await service.get(session, user_id)
    return user, (await services.programs.get(user.program_id)).slug if user.program_id else None


def _named(user: "User") -> str:
    return user.email or user.external_id or str(user.id)


def _full_name(user: "User") -> str:
    return " ".join(filter(None, (user.first_name, user.last_name)))


def _timestamp(value: datetime | None) -> str | None:
    return value.isoformat(" ", "seconds") if value else None
