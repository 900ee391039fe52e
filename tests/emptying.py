"""Empty a database between tests, as fast as can be: most tables have no rows."""

from contextlib import nullcontext
from functools import cache
from typing import Any

from sqlalchemy import Executable, Table, and_, delete, literal, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession

from audit_table import unguarded
from goodword.db.database import Database
from goodword.db.transaction_hooks import invalidate
from goodword.programs import service as programs
from goodword.programs.models import Program
from goodword.rewards import rules
from goodword.tables import Base
from goodword.webhooks import registry as webhooks

KEPT_TABLES = {"alembic_version", "cache_epoch", "signing_keys", "programs"}
PERMANENT_TABLES = {"audit_events", "events", "reward_rules", "rewards", "reward_entries"}
"""Triggers refuse to delete their rows."""
DEFAULT_PROGRAM: dict[str, Any] = {
    "slug": "default",
    "name": "Default",
    "is_default": True,
    "status": "active",
    "starts_at": None,
    "ends_at": None,
    "time_zone": "UTC",
    "currency": "USD",
    "link_target": None,
    "unusable_link": "page",
    "code_lifetime": 31_536_000,
    "attribution": "last_touch",
    "attribution_window": 2_592_000,
    "late_entry_grace": 86_400,
    "remember_touch": False,
}
"""As the migration creates it."""


@cache
def emptied_tables() -> tuple[list[Table], Executable]:
    """Return the tables to empty, in an order that references allow, and the query for those that have rows."""
    tables = [table for table in reversed(Base.metadata.sorted_tables) if table.name not in KEPT_TABLES]
    filled = [select(literal(table.name)).where(select(table).exists()) for table in tables]
    programs = Base.metadata.tables["programs"]
    same = and_(*(programs.c[name].is_not_distinct_from(value) for name, value in DEFAULT_PROGRAM.items()))
    filled.append(select(literal("programs")).where(select(programs).where(~same).exists()))
    return tables, union_all(*filled)


async def empty(database: Database) -> None:
    """Delete all rows but those of a new installation."""
    tables, filled = emptied_tables()
    async with database.transaction() as session:
        names = set((await session.scalars(filled)).all())
        guarded = names & PERMANENT_TABLES
        async with unguarded(session, guarded) if guarded else nullcontext():
            for table in tables:
                if table.name in names:
                    await session.execute(table.delete())
        if "programs" in names:
            await reset_programs(session)
        if "reward_rules" in names:
            invalidate(session, rules.CACHE_KEY)
        if "webhook_endpoints" in names:
            webhooks.invalidate(session)


async def reset_programs(session: AsyncSession) -> None:
    """Leave the default program alone, as the migration created it."""
    await session.execute(delete(Program).where(Program.is_default.is_(False)))
    await session.execute(update(Program).values(DEFAULT_PROGRAM))
    programs.invalidate(session)
