"""H20: `verify` detects every change of sealed rows."""

import asyncio
import re

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from audit_table import is_whole, key_of, meddle, seal, verify
from goodword import retention
from goodword.audit import hash_chain
from goodword.audit.actions import Action, Subject
from goodword.audit.models import AuditEvent
from goodword.audit.service import record
from goodword.db.database import Database
from goodword.jobs.worker import Worker
from people import join, make_code

# SQLite has one writer at a time, so no transaction commits late, and it has no TRUNCATE.
ON_POSTGRES = pytest.mark.parametrize("database_kind", ["postgres"], scope="session")


@pytest.fixture
async def sealed(app, api):
    """Return the head after some events were recorded and sealed."""
    person = await join(api, "alice")
    await make_code(person)
    await seal(app)
    return await verify(app)


async def sequences(app):
    query = text("SELECT sequence FROM audit_events ORDER BY id")
    return [number for (number,) in await app.state.services.database.rows(query)]


async def test_rows_are_numbered_in_order_without_gaps(app, sealed):
    assert await sequences(app) == [1, 2, 3] == list(range(1, sealed.sequence + 1))
    assert await seal(app) == 0


async def test_later_rows_continue_the_chain(app, api, sealed):
    await join(api, "bob")
    await seal(app)

    assert (await verify(app)).sequence == sealed.sequence + 2
    assert (await verify(app, head=sealed)).sequence == sealed.sequence + 2


EDITS = {
    "its action": "action = 'user.viewed'",
    "its time": "created_at = created_at + interval '1 microsecond'",
    "its actor": "actor = 'system'",
    "its actor's id": "actor_id = NULL",
    "its person": "person_id = NULL",
    "its subject": "subject = 'job'",
    "its subject's id": "subject_id = NULL",
    "its client": "client = 'other'",
    "its request": "request_id = NULL",
    "its details": "details = '{}'",
    "its digest": "address_mac = NULL, address = NULL",
    "its address": "address = '192.0.2.1'",
    "its hash": "hash = address_mac",
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
async def test_h20_verify_detects_an_edited_row(app, sealed, edit):
    if app.state.services.database.is_sqlite:
        edit = edit.replace("created_at + interval '1 microsecond'", "'2026-01-01 00:00:00.000000'")
    await meddle(app.state.services.database, f"UPDATE audit_events SET {edit} WHERE sequence = 2")

    with pytest.raises(hash_chain.ChainBroken, match=r"^Row 2 \("):
        await verify(app)


async def test_h20_verify_detects_a_missing_row(app, sealed):
    await meddle(app.state.services.database, "DELETE FROM audit_events WHERE sequence = 2")

    with pytest.raises(hash_chain.ChainBroken, match=r"^Row 2: it is missing"):
        await verify(app)


async def test_h20_verify_detects_swapped_rows(app, sealed):
    for was, becomes in ((1, 99), (2, 1), (99, 2)):
        sql = "UPDATE audit_events SET sequence = :becomes WHERE sequence = :was"
        await meddle(app.state.services.database, sql, was=was, becomes=becomes)

    with pytest.raises(hash_chain.ChainBroken, match=r"^Row 1 "):
        await verify(app)


async def test_h20_verify_detects_an_inserted_row(app, sealed):
    columns = "created_at, action, actor, subject, details, address_mac, hash"
    await meddle(app.state.services.database, "UPDATE audit_events SET sequence = 4 WHERE sequence = 3")
    new_id = "'019aa8c2-7a51-7000-8000-000000000000'"
    if app.state.services.database.is_sqlite:
        new_id = new_id.replace("-", "")
    sql = f"INSERT INTO audit_events (id, sequence, {columns}) SELECT {new_id}, 3, {columns} "
    await meddle(app.state.services.database, f"{sql} FROM audit_events WHERE sequence = 2")

    with pytest.raises(hash_chain.ChainBroken, match=r"^Row 3 "):
        await verify(app)


async def test_h20_verify_detects_a_truncated_chain_by_its_head(app, sealed):
    await meddle(app.state.services.database, "DELETE FROM audit_events WHERE sequence >= 2")

    assert (await verify(app)).sequence == 1
    with pytest.raises(hash_chain.ChainBroken, match=r"^Row 2: it is missing, and all after it up to 3"):
        await verify(app, head=sealed)


async def test_h20_verify_detects_a_resealed_tail_by_its_head(app, sealed):
    reseal = (
        "UPDATE audit_events SET sequence = NULL, hash = NULL, address_mac = NULL, action = 'user.viewed'"
    )
    await meddle(app.state.services.database, f"{reseal} WHERE sequence = 3")
    await seal(app)

    assert (await verify(app)).sequence == 3
    with pytest.raises(hash_chain.ChainBroken, match=r"^Row 3 .*the given head"):
        await verify(app, head=sealed)


async def test_h20_verify_detects_a_resealed_row(app, sealed):
    """Show that an attacker with the secret would have to reseal all later rows too."""
    database = app.state.services.database
    await meddle(database, "UPDATE audit_events SET action = 'user.viewed' WHERE sequence = 2")
    table = AuditEvent.__table__
    first, changed = await database.rows(
        select(table).where(table.c.sequence <= 2).order_by(table.c.sequence)
    )
    fitting = hash_chain.row_hash(key_of(app), first.hash, 2, changed, changed.address_mac)
    await meddle(database, "UPDATE audit_events SET hash = :fitting WHERE sequence = 2", fitting=fitting)

    with pytest.raises(hash_chain.ChainBroken, match=r"^Row 3 "):
        await verify(app)


async def test_sealing_requires_the_secret(app, sealed):
    async with app.state.services.database.transaction() as session:
        await session.execute(text("UPDATE audit_events SET address = NULL"))

    with pytest.raises(hash_chain.ChainBroken, match=r"^Row 1 .*not as it was sealed"):
        await hash_chain.verify(app.state.services.database, b"another secret")


REFUSED = {
    "a removed row": "DELETE FROM audit_events WHERE sequence = 1",
    "another action": "UPDATE audit_events SET action = 'user.viewed' WHERE sequence = 1",
    "a seal taken off": "UPDATE audit_events SET sequence = NULL, hash = NULL WHERE sequence = 1",
    "another number": "UPDATE audit_events SET sequence = 100 WHERE sequence = 3",
    "another hash": "UPDATE audit_events SET hash = address_mac WHERE sequence = 1",
    "another digest": "UPDATE audit_events SET address_mac = hash WHERE sequence = 1",
    "another address": "UPDATE audit_events SET address = '192.0.2.1' WHERE sequence = 1",
}


@pytest.mark.parametrize("sql", REFUSED.values(), ids=REFUSED)
async def test_h20_the_database_refuses_updates_and_deletes(app, sealed, sql):
    with pytest.raises(DBAPIError):
        async with app.state.services.database.transaction() as session:
            await session.execute(text(sql))
    assert await verify(app, head=sealed) == sealed


@ON_POSTGRES
async def test_h20_the_database_refuses_to_truncate_the_table(app, sealed):
    with pytest.raises(DBAPIError):
        async with app.state.services.database.transaction() as session:
            await session.execute(text("TRUNCATE audit_events"))


async def test_an_address_is_cleared_only_after_its_row_is_sealed(app, api):
    await join(api, "alice")
    clear = text("UPDATE audit_events SET address = NULL")
    with pytest.raises(DBAPIError):
        async with app.state.services.database.transaction() as session:
            await session.execute(clear)
    await seal(app)
    async with app.state.services.database.transaction() as session:
        await session.execute(clear)

    assert await is_whole(app)
    assert (await verify(app)).sequence == 2


async def test_concurrent_sealing_makes_one_chain(app, api, database_url, monkeypatch):
    monkeypatch.setattr(hash_chain, "BATCH_SIZE", 7)
    async with app.state.services.database.transaction() as session:
        for _ in range(60):
            record(session, Action.USERS_SEARCHED, Subject.NONE, found=1)
    others = [Database(database_url) for _ in range(3)]

    sealing = (hash_chain.seal(one, key_of(app)) for one in (*others, app.state.services.database))
    done = await asyncio.gather(*sealing, return_exceptions=True)

    assert [one for one in done if not isinstance(one, int)] == []
    assert await sequences(app) == list(range(1, 61))
    assert (await verify(app)).sequence == 60
    for one in others:
        await one.close()


@ON_POSTGRES
async def test_sealing_waits_for_a_concurrent_run(app, api, database_url):
    late, other = Database(database_url), Database(database_url)
    async with app.state.services.database.transaction() as sealing:
        async with late.transaction() as session:
            record(session, Action.USERS_SEARCHED, Subject.NONE, found=1)  # with an id from before
            await session.execute(text("SELECT 1"))
            await join(api, "alice")
            assert await hash_chain._seal_batch(sealing, key_of(app)) == 2
        another = asyncio.create_task(hash_chain.seal(other, key_of(app)))
        await asyncio.sleep(0.2)
    done = await asyncio.gather(another, return_exceptions=True)
    await late.close()
    await other.close()

    assert list(done) == [1]
    assert await sequences(app) == [3, 1, 2]


@ON_POSTGRES
async def test_a_row_committed_late_is_sealed_later(app, api, database_url):
    late = Database(database_url)
    async with late.transaction() as session:
        record(session, Action.USERS_SEARCHED, Subject.NONE, found=1)  # with an id from before
        await session.execute(text("SELECT 1"))
        await join(api, "alice")
        await seal(app)
    await seal(app)
    await late.close()

    assert await sequences(app) == [3, 1, 2]
    assert (await verify(app)).sequence == 3


async def test_unsealed_rows_are_overdue_after_a_minute(app, api, clock):
    await join(api, "alice")
    database = app.state.services.database
    assert await hash_chain.count_overdue(database, now=clock()) == 0

    clock.forward(minutes=2)
    assert await hash_chain.count_overdue(database, now=clock()) == 2
    await seal(app)
    assert await hash_chain.count_overdue(database, now=clock()) == 0


async def test_verify_reads_several_pages(app, api, monkeypatch):
    monkeypatch.setattr(hash_chain, "BATCH_SIZE", 4)
    async with app.state.services.database.transaction() as session:
        for _ in range(9):
            record(session, Action.USERS_SEARCHED, Subject.NONE, found=1)
    await seal(app)
    monkeypatch.setattr(hash_chain, "PAGE_SIZE", 3)
    monkeypatch.setattr(hash_chain, "_PAGE", hash_chain._PAGE.limit(None).limit(3))

    assert (await verify(app)).sequence == 9


async def test_the_worker_seals(app, api, rows):
    await join(api, "alice")
    # Not the worker of the app, which has stopped.
    worker = Worker(app.state.services, {}, node_tasks=retention.NODE_TASKS)
    async with worker.running(), asyncio.timeout(10):
        while await rows("SELECT 1 FROM audit_events WHERE sequence IS NULL"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    assert (await verify(app)).sequence >= 2


def test_a_head_is_printed_in_one_line():
    assert re.fullmatch(r"7:0{64}", str(hash_chain.Head(7, bytes(32))))
