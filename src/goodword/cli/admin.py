"""`goodword admin …` and `goodword users …`: the operator's side of administration."""

import asyncio
import sys
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    # What is imported inside functions below would cost every command, `goodword config` too, its start.
    from sqlalchemy.ext.asyncio import AsyncSession

    from goodword.config.settings import Settings
    from goodword.users.models import User

T = TypeVar("T")
Work = Callable[["AsyncSession", datetime], Awaitable[T]]

FOUND_AT_MOST = 50

admin = typer.Typer(help="Those who may administer.", no_args_is_help=True)
users = typer.Typer(help="Find, look at, disable, enable and erase people.", no_args_is_help=True)


def _text(value: str) -> str:
    # What is no UTF-8 comes in as lone surrogates, which no database takes.
    if not value or not value.isprintable():
        raise typer.BadParameter("This is no text that an address or a name could hold.")
    return value


def _argument(metavar: str) -> Any:
    return typer.Argument(metavar=metavar, callback=_text)


Email = Annotated[str, _argument("EMAIL")]
Who = Annotated[str, _argument("EMAIL|ID")]
Part = Annotated[str, _argument("EMAIL-OR-PART")]


@admin.command("create")
def create_administrator(
    email: Email,
    promote: Annotated[
        bool, typer.Option("--promote", help="Make the account that is there an administrator's.")
    ] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from the standard input.")
    ] = False,
) -> None:
    """Make an account that is an administrator's; its address is taken as verified."""
    from goodword.admin import service

    settings = _settings()
    if promote:
        user = _operate_on(
            email,
            lambda session, user_id, now: service.promote(session, user_id, settings=settings, now=now),
        )
        typer.echo(f"{user.email} is an administrator from the next sign-in on.")
        return
    password = _read_password() if password_stdin else _ask_password()
    body = _checked(email, password)
    user = _operate(lambda session, now: _create(settings, session, body, now), first=True)
    typer.echo(f"{user.email} is an administrator: {user.id}")


@admin.command("remove")
def remove_administrator(who: Who) -> None:
    """Take the right to administer away, at once. The account stays."""
    from goodword.admin import service

    user = _operate_on(who, lambda session, user_id, _: service.demote(session, user_id))
    typer.echo(f"{user.email} is no administrator any more.")


@users.command("find")
def find(part: Part) -> None:
    """List the people whose address or name contains this, the latest first."""
    from goodword.admin import service

    found = _operate(lambda session, _: service.page(session, part=part, limit=FOUND_AT_MOST))
    if not found:
        _refuse("Nobody was found.")
    for user in found[:FOUND_AT_MOST]:
        marks = [user.status, "administrator"] if user.is_admin else [user.status]
        typer.echo(f"{user.id}  {user.email or '-'}  {_name(user) or '-'}  {', '.join(marks)}")
    if len(found) > FOUND_AT_MOST:
        typer.echo(f"There are more than these {FOUND_AT_MOST}. Give more of the address.", err=True)


@users.command("show")
def show(who: Who) -> None:
    """Show an account."""
    from goodword.admin import service

    user = _operate_on(who, lambda session, user_id, _: service.get(session, user_id))
    facts = {
        "id": user.id,
        "email": user.email,
        "verified": _moment(user.verified_at),
        "name": _name(user),
        "status": user.status,
        "administrator": "yes" if user.is_admin else "no",
        "joined": _moment(user.created_at),
        "erased": _moment(user.erased_at),
    }
    for name, value in facts.items():
        typer.echo(f"{name + ':':15}{value or '-'}")


@users.command("disable")
def disable(who: Who) -> None:
    """Sign somebody out everywhere and keep them out; their codes do not work meanwhile."""
    from goodword.admin import service

    user = _operate_on(who, lambda session, user_id, now: service.disable(session, user_id, by=None, now=now))
    typer.echo(f"{user.email} is disabled.")


@users.command("enable")
def enable(who: Who) -> None:
    """Let somebody in again."""
    from goodword.admin import service

    user = _operate_on(who, lambda session, user_id, _: service.enable(session, user_id))
    typer.echo(f"{user.email} is enabled.")


@users.command("erase")
def erase(
    who: Who, yes: Annotated[bool, typer.Option("--yes", help="Do not ask to confirm.")] = False
) -> None:
    """Forget a person at once and for ever. Who came by their codes stays."""
    from goodword.admin import service

    user = _operate_on(who, lambda session, user_id, _: service.get(session, user_id))
    if not yes:
        typer.confirm(f"Erase {user.email or user.id} for ever?", abort=True)
    # By the id that was confirmed: the address may be another's by now.
    _operate(lambda session, now: service.erase(session, user.id, by=None, now=now))
    typer.echo(f"{user.id} is erased.")


def _operate(work: Work[T], *, first: bool = False) -> T:
    """Do something in one transaction on the database of the settings; every refusal is a message.

    The `first` command of a new installation makes the embedded database as `goodword serve` would.
    """
    from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout

    from goodword.config.settings import SettingsError
    from goodword.errors import AppError
    from goodword.users.service import EmailTaken

    settings = _settings()
    try:
        return asyncio.run(_in_transaction(settings, work, migrate=first and settings.embedded))
    except EmailTaken as error:
        _refuse(f"{error.detail} With --promote it becomes an administrator's.")
    except AppError as error:
        _refuse(error.detail)
    except (SettingsError, OSError, DBAPIError, PoolTimeout) as error:
        _refuse(f"goodword cannot do this:\n{error}", code=2)


def _operate_on(who: str, work: Callable[["AsyncSession", uuid.UUID, datetime], Awaitable[T]]) -> T:
    from goodword.admin import service

    async def found(session: "AsyncSession", now: datetime) -> T:
        return await work(session, await service.id_of(session, who), now)

    return _operate(found)


async def _in_transaction(settings: "Settings", work: Work[T], *, migrate: bool) -> T:
    from goodword.composition import opened

    async with opened(settings, migrate=migrate) as services, services.database.transaction() as session:
        return await work(session, services.clock())


async def _create(
    settings: "Settings", session: "AsyncSession", body: tuple[str, str], now: datetime
) -> "User":
    from goodword.admin import service
    from goodword.users import service as accounts
    from goodword.users.passwords import Passwords

    email, password = body
    passwords = Passwords(cost=settings.password_hash, min_length=settings.password_min_length)
    try:
        await passwords.check(password, about=accounts.personal_words(email, None, None))
        hashed = await passwords.hash(password)  # before the first statement, so no transaction waits for it
    finally:
        passwords.close()
    return await service.create_administrator(
        session, email=email, password_hash=hashed, settings=settings, now=now
    )


def _settings() -> "Settings":
    from goodword.config.loading import load, with_own_secret
    from goodword.config.settings import SettingsError

    try:
        return with_own_secret(load())
    except (SettingsError, OSError) as error:
        _refuse(f"goodword cannot do this:\n{error}", code=2)


def _checked(email: str, password: str) -> tuple[str, str]:
    """Address and password in the form that registration takes them in."""
    from pydantic import ValidationError

    from goodword.signup.schemas import UserCreate

    try:
        body = UserCreate(email=email, password=password, referral_code=None)
    except ValidationError as error:
        _refuse("\n".join(found["msg"] for found in error.errors(include_input=False, include_url=False)))
    return body.email, body.password


def _ask_password() -> str:
    if not sys.stdin.isatty():
        _refuse("There is no terminal to ask for the password at: use --password-stdin.", code=2)
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


def _read_password() -> str:
    try:
        return sys.stdin.buffer.read(65_536).decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        _refuse("The password is not in UTF-8.")


def _name(user: "User") -> str:
    return " ".join(filter(None, (user.first_name, user.last_name)))


def _moment(value: datetime | None) -> str | None:
    return value.isoformat(" ", "seconds") if value else None


def _refuse(message: str, code: int = 1) -> NoReturn:
    typer.secho(message, fg="red", err=True)
    raise typer.Exit(code)
