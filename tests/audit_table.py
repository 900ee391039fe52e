"""The audit as the tests see it: what it holds, and a way around its guard, which the service has not."""

from contextlib import asynccontextmanager

from sqlalchemy import text

from goodword.audit import hash_chain
from goodword.db.database import Database


@asynccontextmanager
async def unguarded(session):
    """Allow updates and deletes of permanent rows within the block, as the owner of the database could."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        yield
        await session.execute(text("SET LOCAL session_replication_role = origin"))
        return
    query = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%\\_not\\_%' ESCAPE '\\'"
    )
    guards = (await session.execute(text(query))).all()
    for name, _ in guards:
        await session.execute(text(f"DROP TRIGGER {name}"))
    yield
    for _, sql in guards:
        await (await session.connection()).exec_driver_sql(sql)


def key_of(app) -> bytes:
    return app.state.services.keys.audit


async def seal(app) -> int:
    return await hash_chain.seal(app.state.services.database, key_of(app))


async def verify(app, **options) -> hash_chain.Head:
    return await hash_chain.verify(app.state.services.database, key_of(app), **options)


async def is_whole(app) -> bool:
    """Whether every row is as it was sealed."""
    try:
        await verify(app)
    except hash_chain.ChainBroken:
        return False
    return True


async def meddle(database: Database, sql: str, **values) -> None:
    """Change the table by hand."""
    async with database.transaction() as session, unguarded(session):
        await session.execute(text(sql), values)
