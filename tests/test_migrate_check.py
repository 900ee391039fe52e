"""`goodword migrate --check` says what the pending migrations would block, and changes nothing."""

import asyncio

import pytest
from sqlalchemy import text

from asgi import SECRET
from goodword import migrations
from goodword.db.database import Database
from goodword.migrations.check import SCRATCH
from serving import goodword
from test_migrations import fill, fresh_url

__all__ = ["fresh_url"]
FIRST = "20261128_01"


@pytest.fixture
async def old(fresh_url):
    """Yield a database with rows whose schema is the first one."""
    await migrations.upgrade(fresh_url, FIRST)
    database = Database(fresh_url)
    await fill(database)
    yield database
    await database.close()


async def migrate(url, folder, *arguments):
    return await asyncio.to_thread(
        goodword, folder, "migrate", *arguments, DATABASE_URL=url, SECRET_KEY=SECRET
    )


async def test_it_lists_what_is_pending_and_changes_nothing(old, fresh_url, tmp_path):
    before = await old.row(text("SELECT version_num FROM alembic_version"))
    checked = await migrate(fresh_url, tmp_path, "--check")
    after = await old.row(text("SELECT version_num FROM alembic_version"))
    migrated = await migrate(fresh_url, tmp_path)
    again = await migrate(fresh_url, tmp_path, "--check")

    assert checked.returncode == 1, checked.stderr
    assert (
        f"The schema is at {FIRST}.\nPending migrations:\n  20261128_02  Record the deletion"
        in checked.stdout
    )
    assert "be replaced one after the other" not in checked.stdout  # that schema has no oldest version yet
    assert (before, after) == ((FIRST,), (FIRST,))
    assert migrated.returncode == 0, migrated.stderr
    assert (again.returncode, again.stdout) == (
        0,
        f"The schema is at {migrations.head()}.\nNo migration is pending.\n",
    )


@pytest.mark.parametrize("database_kind", ["postgres"])
async def test_it_names_the_locked_tables_without_locking_them(old, fresh_url, tmp_path):
    async with old.transaction() as session:
        await session.execute(text("ANALYZE"))
        await session.execute(text(f"CREATE SCHEMA {SCRATCH}"))  # left by a check that was killed
        await session.execute(text(f"CREATE TABLE {SCRATCH}.sessions (id int)"))
    async with old.transaction() as session:  # as a sign-up locks them
        await session.execute(text("LOCK TABLE sessions, referral_codes, users IN ROW EXCLUSIVE MODE"))
        checked = await migrate(fresh_url, tmp_path, "--check")
    left = await old.row(text(f"SELECT to_regnamespace('{SCRATCH}')::text"))

    locked = {line.split()[0]: line.split(maxsplit=3) for line in checked.stdout.splitlines() if line}
    assert locked["referral_codes"][1:] == ["1", "0.0", "reads and writes"]
    assert locked["sessions"][1:] == ["1", "0.0", "writes"]
    assert "quotas" not in locked
    assert "less than a second" in checked.stdout
    assert left == (None,)


@pytest.mark.parametrize("database_kind", ["postgres"])
async def test_an_empty_database_needs_everything(fresh_url, tmp_path):
    checked = await migrate(fresh_url, tmp_path, "--check")

    assert checked.returncode == 1
    assert checked.stdout.startswith("The database is empty.\nPending migrations:\n")
