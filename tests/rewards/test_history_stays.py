"""The database itself refuses to delete or change the history of rewards."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

FIXED = {
    "events": ["source_id", "amount_minor", "occurred_at", "refunds"],
    "reward_rules": ["version", "amount_minor", "hold_seconds"],
    "rewards": ["amount_minor", "month", "event_id", "rule_version_id"],
    "reward_entries": ["amount_minor", "to_status"],
}


async def test_no_row_is_deleted_and_no_fixed_column_changes(shop, app):
    await shop.rule()
    await shop.pair()
    await shop.event()
    database = app.state.services.database
    for table, columns in FIXED.items():
        for statement in (
            f"DELETE FROM {table}",
            *(f"UPDATE {table} SET {column} = {column}" for column in columns),
        ):
            with pytest.raises(DBAPIError, match="keeps its history"):
                async with database.transaction() as session:
                    await session.execute(text(statement))


async def test_a_reward_cannot_have_more_left_than_its_amount_or_less_than_nothing(shop, app):
    await shop.rule()
    await shop.pair()
    await shop.event()
    for remaining in (501, -1, 0):
        with pytest.raises(DBAPIError):
            async with app.state.services.database.transaction() as session:
                await session.execute(text(f"UPDATE rewards SET remaining_minor = {remaining}"))
