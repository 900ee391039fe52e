"""`goodword demo`: fill an empty installation with an example."""

import secrets
from typing import TYPE_CHECKING

import typer

from goodword.cli.runner import fail, reported_errors, run

if TYPE_CHECKING:
    from goodword.cli.demo.rows import Rows
    from goodword.services import Services


def demo() -> None:
    """Fill an empty installation with 90 days of invented users, codes, referrals and clicks.

    It shows what the pages look like in use. It refuses production, and a database with users or programs.
    """
    from goodword.config.loading import load

    with reported_errors():
        if load().environment == "production":
            fail("This is a production installation. The example is for development only.")
    password = secrets.token_urlsafe(9)
    rows = run(lambda services: _fill(services, password), migrate="embedded")
    counts = ", ".join(
        f"{len(added)} {model.__tablename__.replace('_', ' ')}" for model, added in rows.by_model.items()
    )
    typer.echo(f"Added {counts}.\n\nSign in with the password {password} as")
    for email, who in {
        "admin@example.com": "an administrator",
        "alice@example.com": "Alice, who has referred the most friends",
        "bob@example.com": "Bob, who joined with a code of Alice",
    }.items():
        typer.echo(f"  {email:18} {who}")


async def _fill(services: "Services", password: str) -> "Rows":
    from goodword.admin import service as admin
    from goodword.audit import hash_chain
    from goodword.cli.demo.activity import invent
    from goodword.cli.demo.rows import Rows
    from goodword.db.base import insert_statement

    password_hash = await services.passwords.hash(password)
    async with services.database.transaction() as session:
        if await admin.list_users(session, limit=1) or len(await services.programs.all()) > 1:
            fail("This database is in use. The example needs an empty one, such as a new GOODWORD_DATA_DIR.")
        rows = Rows(services, session)
        await invent(rows, password_hash)
        for model, added in rows.by_model.items():
            await session.execute(insert_statement(model.__table__), added)
        for user in rows.people[-40:-34:3]:
            await admin.erase(session, services, user["id"], by=None)
    await hash_chain.seal(services.database, services.keys.audit)
    return rows
