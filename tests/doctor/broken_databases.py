"""Breaks of databases, by check and database."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

from doctor.patient import Patient
from fresh_database import fresh_database
from goodword import migrations
from goodword.db.statements import insert
from goodword.users.models import User

OLD_VERSION = """
    CREATE FUNCTION public.current_setting(name text) RETURNS text LANGUAGE sql AS $$
        SELECT CASE name WHEN 'server_version_num' THEN '140010' ELSE pg_catalog.current_setting(name) END $$
"""
FAST_CLOCK = """
    CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
        'SELECT pg_catalog.clock_timestamp() + interval ''1 hour'''
"""


async def no_file(patient: Patient) -> None:
    patient.database_file.unlink()


async def no_server(patient: Patient) -> None:
    patient.settings["DATABASE_URL"] = "postgresql+asyncpg://postgres@127.0.0.1:1/goodword"


async def no_such_database(patient: Patient) -> None:
    patient.settings["DATABASE_URL"] = patient.url + "_of_another"


async def old_version(patient: Patient) -> None:
    await patient.execute(OLD_VERSION)
    await patient.set_on_connect("search_path = public, pg_catalog")


async def read_only(patient: Patient) -> None:
    await patient.set_on_connect("default_transaction_read_only = on")


async def newer_schema(patient: Patient) -> None:
    await patient.execute(
        "UPDATE alembic_version SET version_num = '20990101_01', oldest_code = '20990101_01'"
    )


async def older_schema(patient: Patient) -> None:
    await patient.execute("UPDATE alembic_version SET version_num = '20261128_04'")


async def dropped_index(patient: Patient) -> None:
    await patient.execute("DROP INDEX ix_jobs_user_id")


async def invalid_index(patient: Patient) -> None:
    await patient.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_jobs_user_id'::regclass"
    )


async def damaged_page(patient: Patient) -> None:
    """Overwrite the first page of a table that no check reads."""
    with closing(sqlite3.connect(patient.database_file)) as database:
        [size] = database.execute("PRAGMA page_size").fetchone()
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'profiles'"
        [page] = database.execute(query).fetchone()
    with patient.database_file.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


async def other_encoding(patient: Patient) -> None:
    template = "template0 ENCODING 'SQL_ASCII' LOCALE 'C' LOCALE_PROVIDER libc"
    patient.url = await patient.held.enter_async_context(fresh_database(patient.url, template=template))
    patient.settings["DATABASE_URL"] = patient.url
    await migrations.upgrade(patient.url)
    now, address = datetime.now(UTC), "rita@example.com"
    given = {"email": address, "email_key": address, "verified_at": now, "created_at": now, "is_admin": True}
    async with patient.transaction() as session:
        await insert(session, User, **given)


async def other_collation(patient: Patient) -> None:
    await patient.execute("UPDATE pg_database SET datcollversion = '0' WHERE datname = current_database()")


async def large_pool(patient: Patient) -> None:
    patient.settings["POOL_SIZE"] = "1000"


async def short_timeout(patient: Patient) -> None:
    await patient.set_on_connect("statement_timeout = '5s'")


async def fast_clock(patient: Patient) -> None:
    await patient.execute(FAST_CLOCK)
    await patient.set_on_connect("search_path = public, pg_catalog")


async def no_pooler(patient: Patient) -> None:
    patient.settings["PGBOUNCER"] = "on"


async def replica_is_the_primary(patient: Patient) -> None:
    patient.settings["REPLICA_URL"] = patient.url


async def no_replica(patient: Patient) -> None:
    patient.settings["REPLICA_URL"] = "postgresql+asyncpg://postgres@127.0.0.1:1/goodword"


CASES = [
    ("database-reachable", "sqlite", no_file),
    ("database-reachable", "postgres", no_server),
    ("database-reachable", "postgres", no_such_database),
    ("database-version", "postgres", old_version),
    ("database-writable", "postgres", read_only),
    ("schema-current", "sqlite postgres", newer_schema),
    ("schema-current", "sqlite", older_schema),
    ("database-indexes", "sqlite postgres", dropped_index),
    ("database-indexes", "postgres", invalid_index),
    ("database-integrity", "sqlite", damaged_page),
    ("database-encoding", "postgres", other_encoding),
    ("database-collation", "postgres", other_collation),
    ("database-connections", "postgres", large_pool),
    ("database-timeout", "postgres", short_timeout),
    ("database-clock", "postgres", fast_clock),
    ("pooler", "postgres", no_pooler),
    ("replica", "postgres", replica_is_the_primary),
    ("replica", "postgres", no_replica),
]
