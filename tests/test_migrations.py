"""Migrations on SQLite and PostgreSQL, and the constraints that they create."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import column, select, table, text
from sqlalchemy.exc import DBAPIError

from asgi import SECRET, client_of, running, settings_for
from fresh_database import fresh_database
from goodword import migrations
from goodword.app import create_app
from goodword.codes.models import ReferralCode
from goodword.config.settings import SettingsError
from goodword.db.database import Database
from goodword.tables import Base
from people import register
from preloaded import Process
from serving import environment, goodword
from sweeps import Sweep

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


@pytest.fixture
async def fresh_url(database_kind, request, tmp_path):
    """Yield the URL of an empty database."""
    if database_kind == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'fresh.sqlite3'}"
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as url:
        yield url


@pytest.fixture
async def fresh(fresh_url):
    await migrations.upgrade(fresh_url)
    database = Database(fresh_url)
    yield database
    await database.close()


def insert(name, **values):
    """Return a statement that names no column of a later schema, unlike one of the model."""
    columns = Base.metadata.tables[name].c
    return table(name, *(column(key, columns[key].type) for key in values)).insert().values(values)


async def fill(database):
    """Insert two users, a session, a code and a referral."""
    alice, bob, code = (uuid.uuid4() for _ in range(3))
    async with database.transaction() as session:
        for person, name in ((alice, "alice"), (bob, "bob")):
            email = f"{name}@example.com"
            values = {"id": person, "created_at": NOW, "status": "active"}
            values |= {"email": email, "email_key": email, "email_canonical": email}
            await session.execute(insert("users", **values))
        values = {"id": code, "created_at": NOW, "owner_id": alice, "kind": "generated", "expires_at": LATER}
        values |= {"code": "7KQ2M9XWPA", "key": "7KQ2M9XWPA", "key_mac": b"1" * 32, "activated_at": NOW}
        await session.execute(insert("referral_codes", **values, uses=1, discoverable=True))
        values = {"created_at": NOW, "referrer_id": alice, "referee_id": bob, "code_id": code}
        await session.execute(insert("referrals", **values, id=code, status="confirmed"))
        values = {"id": code, "created_at": NOW, "user_id": alice, "counter": 5, "rotated_at": NOW}
        values |= {"idle_expires_at": LATER, "expires_at": LATER, "scope": "profile", "client": "goodword"}
        await session.execute(insert("sessions", **values))
    return alice, bob, code


async def test_models_match_migrations(fresh):
    async with fresh.read_engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), Base.metadata)
        )
    assert differences == []


def test_head_is_the_newest_file():
    scripts = ScriptDirectory.from_config(migrations.make_config())

    assert scripts.get_heads() == [migrations.head()]


async def test_upgrade_keeps_rows(fresh_url):
    scripts = ScriptDirectory.from_config(migrations.make_config())
    first, *later = [script.revision for script in scripts.walk_revisions()][::-1]
    await migrations.upgrade(fresh_url, first)
    database = Database(fresh_url)
    alice, *_ = await fill(database)
    await database.close()

    for revision in later:
        await migrations.upgrade(fresh_url, revision)

    database = Database(fresh_url)
    assert await migrations.is_current(database)
    (owner,) = await database.rows(select(ReferralCode.owner_id))
    assert owner.owner_id == alice
    await database.close()


async def set_version(url, **values):
    """Leave the schema as a newer version would."""
    database = Database(url)
    async with database.transaction() as session:
        for column, value in values.items():
            await session.execute(text(f"UPDATE alembic_version SET {column} = '{value}'"))
    await database.close()


async def test_a_newer_schema_that_this_version_may_use_changes_nothing(fresh_url, tmp_path):
    await migrations.upgrade(fresh_url)
    settings = settings_for(fresh_url, data_dir=tmp_path)
    async with running(create_app(settings)) as app, client_of(app) as client:
        await set_version(fresh_url, version_num="20991231_01")
        ready = await client.get("/readyz")
    async with running(create_app(settings)) as app, client_of(app) as client:
        registered = await register(client, "alice")
    migrated = await asyncio.to_thread(
        goodword, tmp_path, "migrate", DATABASE_URL=fresh_url, SECRET_KEY=SECRET
    )

    assert (ready.status_code, ready.json()["checks"]["schema"]) == (200, "ok")
    assert registered.status_code == 201
    assert migrated.returncode == 0
    assert migrated.stdout == "The schema is at 20991231_01, which this older version can use.\n"


async def test_a_newer_schema_that_this_version_may_not_use_is_refused(fresh_url, tmp_path):
    await migrations.upgrade(fresh_url)
    settings = settings_for(fresh_url, data_dir=tmp_path)
    async with running(create_app(settings)) as app, client_of(app) as client:
        await set_version(fresh_url, version_num="20991231_01", oldest_code="20991231_01")
        ready = await client.get("/readyz")
    with pytest.raises(SettingsError, match="20991231_01"):
        async with running(create_app(settings)):
            pass
    migrated = await asyncio.to_thread(
        goodword, tmp_path, "migrate", DATABASE_URL=fresh_url, SECRET_KEY=SECRET
    )

    assert (ready.status_code, ready.json()["checks"]["schema"]) == (503, "down")
    assert migrated.returncode == 2
    assert "does not know the schema revision of the database (20991231_01)" in migrated.stderr


async def test_a_schema_from_before_the_first_release_is_refused(fresh_url):
    await migrations.upgrade(fresh_url, "20261128_01")
    await set_version(fresh_url, version_num="20261122_07")

    with pytest.raises(migrations.UnknownRevision, match="20261122_07"):
        await migrations.upgrade(fresh_url)


async def test_concurrent_upgrades_wait_for_each_other(fresh_url):
    await asyncio.gather(*(migrations.upgrade(fresh_url) for _ in range(8)))

    database = Database(fresh_url)
    assert await migrations.is_current(database)
    await database.close()


async def test_a_migration_that_is_killed_is_finished_by_the_next(fresh_url, tmp_path):
    """It is killed after 0, 0.1, 0.2 s and so on: before, in the middle, and after it."""
    settings = environment(tmp_path, DATABASE_URL=fresh_url, SECRET_KEY=SECRET)
    for number in range(7):
        with (tmp_path / "log").open("w") as log:
            killed = Process(["migrate"], cwd=tmp_path, env=settings, stdout=log, stderr=log)
        await asyncio.sleep(0.1 * number)
        killed.kill()
        killed.wait(60)

    await migrations.upgrade(fresh_url)
    async with (
        running(create_app(settings_for(fresh_url, data_dir=tmp_path))) as app,
        client_of(app) as client,
    ):
        registered = await register(client, "alice")

    assert registered.status_code == 201


REFUSED = {
    "a second active code": "INSERT INTO referral_codes (id, created_at, owner_id, kind, expires_at, key_mac, "
    "activated_at, uses, discoverable) SELECT :id, created_at, owner_id, kind, expires_at, :mac, activated_at, "
    "0, discoverable FROM referral_codes",
    "a code string that is taken": "INSERT INTO referral_codes (id, created_at, owner_id, kind, expires_at, key_mac, "
    "uses, discoverable) SELECT :id, created_at, owner_id, kind, expires_at, key_mac, 0, discoverable "
    "FROM referral_codes WHERE :mac IS NOT NULL",
    "a second referral of one referee": "INSERT INTO referrals (id, created_at, referrer_id, referee_id, code_id, "
    "status) SELECT :id, created_at, referrer_id, referee_id, code_id, status FROM referrals",
    "a self-referral": "UPDATE referrals SET referee_id = referrer_id",
    "a code without an expiry": "UPDATE referral_codes SET expires_at = NULL",
    "a code that expires before its creation": "UPDATE referral_codes SET expires_at = created_at",
    "more uses than allowed": "UPDATE referral_codes SET max_uses = 1, uses = 2",
    "a lower session counter": "UPDATE sessions SET counter = counter - 1",
    "two users with one e-mail address": "UPDATE users SET email_key = 'alice@example.com'",
    "a user without an e-mail address": "UPDATE users SET email = NULL, email_key = NULL",
    "an identity linked to two users": "INSERT INTO identities (id, created_at, user_id, provider, subject) "
    "SELECT id, created_at, id, 'github', '4711' FROM users",
    "an unknown status": "UPDATE users SET status = 'president'",
    "a code without an owner": "UPDATE referral_codes SET owner_id = :id",
}


async def test_constraints_refuse_invalid_rows(fresh):
    await fill(fresh)
    with Sweep() as sweep:
        for name, sql in REFUSED.items():
            values = {"id": str(uuid.uuid4()) if not fresh.is_sqlite else uuid.uuid4().hex, "mac": b"2" * 32}
            values = {key: value for key, value in values.items() if f":{key}" in sql}
            statement = sql.replace(":id", "CAST(:id AS uuid)") if not fresh.is_sqlite else sql
            with sweep.case(name):
                assert not await is_accepted(fresh, statement, values)


async def is_accepted(database, statement, values):
    """Say whether the database takes it, and leave the rows as they were."""
    async with database.sessions() as session:
        try:
            await session.execute(text(statement), values)
        except DBAPIError:
            return False
        finally:
            await session.rollback()
    return True
