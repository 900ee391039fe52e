"""`goodword admin`: create and remove administrators."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from goodword.cli.runner import fail, run_in_transaction
from goodword.cli.users import EmailOrId, run_for_user, text_argument

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from goodword.services import Services
    from goodword.signup.schemas import UserCreate
    from goodword.users.models import User

MAX_STDIN = 65_536

app = typer.Typer(help="Create and remove administrators.", no_args_is_help=True)


@app.command()
def create(
    email: Annotated[str, text_argument("EMAIL")],
    promote: Annotated[
        bool, typer.Option("--promote", help="Make an existing user an administrator.")
    ] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Create an administrator. The e-mail address counts as verified."""
    from goodword.admin import service

    if promote:
        user = run_for_user(
            email,
            lambda session, user_id, services: service.promote(
                session, services, user_id, now=services.clock()
            ),
        )
        typer.echo(f"{user.email} is an administrator from the next sign-in on.")
        return
    body = _validate(email, _read_password() if password_stdin else _ask_password())
    user = run_in_transaction(lambda session, services: _create(session, services, body))
    typer.echo(f"{user.email} is an administrator: {user.id}")


@app.command()
def remove(email_or_id: EmailOrId) -> None:
    """Withdraw the rights of an administrator at once. The account stays."""
    from goodword.admin import service

    user = run_for_user(email_or_id, lambda session, user_id, _: service.demote(session, user_id))
    typer.echo(f"{user.email} is no longer an administrator.")


async def _create(session: "AsyncSession", services: "Services", body: "UserCreate") -> "User":
    from goodword.admin import service
    from goodword.users.service import EmailTaken, personal_words

    await services.passwords.check(body.password, about=personal_words(body.email, None, None))
    hashed = await services.passwords.hash(body.password)  # before the first statement of the transaction
    try:
        return await service.create_administrator(session, services, email=body.email, password_hash=hashed)
    except EmailTaken as error:
        fail(f"{error.detail} Use --promote to make that user an administrator.")


def _validate(email: str, password: str) -> "UserCreate":
    """Return the input after the validation that sign-up applies."""
    from pydantic import ValidationError

    from goodword.signup.schemas import UserCreate

    try:
        return UserCreate(email=email, password=password, referral_code=None)
    except ValidationError as error:
        fail("\n".join(found["msg"] for found in error.errors(include_input=False, include_url=False)))


def _ask_password() -> str:
    if not sys.stdin.isatty():
        fail("There is no terminal to ask for the password. Use --password-stdin.", status=2)
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


def _read_password() -> str:
    try:
        return sys.stdin.buffer.read(MAX_STDIN).decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        fail("The password is not UTF-8.")
