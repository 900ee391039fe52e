"""Recurring jobs, once per period, and the rows that they delete."""

import asyncio
import os
from dataclasses import replace
from datetime import timedelta

import pytest

from goodword import retention
from goodword.audit import hash_chain
from goodword.config.retention_settings import RetentionSettings
from goodword.db.database import Database
from goodword.jobs import service
from goodword.jobs.models import Job
from goodword.jobs.worker import Worker
from goodword.providers.models import EmailCheck, Status
from goodword.retention import HANDLERS, PERIODIC_TASKS
from people import PASSWORD, join, sign_in

HOUR = timedelta(hours=1)
KEPT = tuple(RetentionSettings.model_fields)


@pytest.fixture
async def services(app, database_url):
    """Yield services with their own engines, like those of another process."""
    database = Database(database_url)
    yield replace(app.state.services, database=database)
    await database.close()


async def test_each_period_has_one_job_with_many_workers(services, clock, rows, monkeypatch):
    monkeypatch.setattr("goodword.jobs.worker.POLL_SECONDS", 0.05)
    done = []

    async def tidy(_services, work):
        done.append(work.id)

    for hours in (1, 2):
        workers = [Worker(services, {"tidy": tidy}, recurring={"tidy": HOUR}) for _ in range(4)]
        tasks = [asyncio.create_task(worker.run()) for worker in workers]
        async with asyncio.timeout(10):
            while len(done) < hours:  # noqa: ASYNC110  it is read as well as waited for
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        for worker in workers:
            worker.stop()
        await asyncio.gather(*tasks)
        assert len(done) == hours
        clock.forward(hours=1)

    slots = [slot for (slot,) in await rows("SELECT slot FROM jobs ORDER BY slot")]
    assert len(set(slots)) == 2
    assert all(slot.startswith("tidy 20") and slot.endswith(":00") for slot in slots)


async def test_concurrent_calls_enqueue_one_job_per_slot(services, clock, rows):
    async def ask(_):
        async with services.database.transaction() as session:
            return await service.enqueue_once(session, "tidy", {}, slot="now", now=clock())

    assert sorted(await asyncio.gather(*map(ask, range(8)))) == [False] * 7 + [True]
    assert await rows("SELECT count(*) FROM jobs") == [(1,)]


async def purge(services, clock, *kinds):
    async with services.database.transaction() as session:
        for kind in kinds or PERIODIC_TASKS:
            service.enqueue(session, kind, {}, now=clock())
    worker = Worker(services, HANDLERS)
    await worker.run_due()


async def test_expired_rows_are_deleted_and_others_stay(api, alice, post, services, clock, rows):
    await api.post("/api/v1/password-resets", json={"email": alice.email})
    await sign_in(api, alice.email, "wrong password")
    code = {"lifetime": 3600}
    await alice.post("/api/v1/me/referral-codes", code, headers={"Idempotency-Key": "k"})
    await alice.post("/api/v1/me/invitations", {"email": "dave@example.org"})
    await post()
    tables = ("sessions", "verifications", "idempotency_keys", "login_failures", "quotas")

    async def left():
        return {table: (await rows(f"SELECT count(*) FROM {table}"))[0][0] for table in tables}

    before = await left()
    assert all(before.values()), before
    await purge(services, clock)
    assert await left() == before

    clock.forward(hours=60)
    await purge(services, clock)
    assert await left() == before | {
        "verifications": 0,
        "idempotency_keys": 0,
        "login_failures": 0,
        "quotas": 1,  # that the two know each other is remembered for a year
    }

    clock.forward(days=400)
    await purge(services, clock)
    assert set((await left()).values()) == {0}
    assert (await api.post("/api/v1/sessions", json={"email": alice.email, "password": PASSWORD})).is_success


async def test_the_operator_chooses_how_long_data_is_kept(api, alice, post, services, clock, rows):
    """Each setting is 40 days instead of its default, and what it keeps goes after 40 days and not before."""
    services = replace(services, settings=services.settings.model_copy(update=dict.fromkeys(KEPT, 40)))
    await api.post("/api/v1/password-resets", json={"email": alice.email})
    await post()
    await hash_chain.seal(services.database, services.keys.audit)
    async with services.database.transaction() as session:
        session.add(
            EmailCheck(
                address_mac=b"0" * 32,
                provider="hunter",
                status=Status.VALID,
                checked_at=clock(),
                created_at=clock(),
            )
        )
        for outcome in ("done", "dead"):
            session.add(
                Job(
                    kind="greet",
                    payload="",
                    created_at=clock(),
                    run_at=clock(),
                    finished_at=clock(),
                    outcome=outcome,
                )
            )
    queries = {
        "sessions": "SELECT count(*) FROM sessions",
        "tokens": "SELECT count(*) FROM verifications",
        "jobs": "SELECT count(*) FROM jobs WHERE outcome = 'done' AND kind = 'greet'",
        "failed_jobs": "SELECT count(*) FROM jobs WHERE outcome = 'dead'",
        "audit_addresses": "SELECT count(*) FROM audit_events WHERE address IS NOT NULL",
        "email_checks": "SELECT count(*) FROM email_checks WHERE status = 'valid'",
    }
    others = {"keep_emails", "keep_touches", "keep_touch_hashes", "keep_webhooks"}  # in their own tests
    others.add("keep_former_referees")  # in tests/risk
    assert {f"keep_{name}" for name in queries} | others == set(KEPT)
    clock.forward(days=39, hours=23)

    async def left():
        await purge(services, clock)
        return {name for name, query in queries.items() if (await rows(query))[0][0]}

    assert await left() == set(queries)
    clock.forward(days=2)
    assert await left() == {"sessions"}
    clock.forward(days=23)
    assert await left() == {"sessions"}, "which ended a month after their last use"
    clock.forward(days=10)
    assert await left() == set()


async def test_saved_emails_are_deleted_after_a_month(app, clock, tmp_path):
    settings = app.state.services.settings.model_copy(update={"data_dir": tmp_path})
    settings.emails_dir.mkdir()
    for name, age in (("old.eml", 31), ("new.eml", 29), ("old.txt", 31)):
        path, moment = settings.emails_dir / name, (clock() - timedelta(days=age)).timestamp()
        path.touch()
        os.utime(path, (moment, moment))

    await retention.delete_emails(replace(app.state.services, settings=settings))

    assert sorted(path.name for path in settings.emails_dir.iterdir()) == ["new.eml", "old.txt"]


async def test_an_expired_code_stays_expired_for_its_owner(api, alice, services, clock):
    await alice.post("/api/v1/me/referral-codes", {"lifetime": 60})
    clock.forward(days=1)
    await purge(services, clock)
    await alice.sign_in()

    (code,) = (await alice.get("/api/v1/me/referral-codes")).json()["items"]
    assert (code["status"], code["retired_at"]) == ("expired", None)


async def test_finished_jobs_are_deleted_in_batches_and_dead_ones_later(services, clock, rows, monkeypatch):
    monkeypatch.setattr("goodword.retention.BATCH_SIZE", 10)
    async with services.database.transaction() as session:
        for n in range(35):
            await service.enqueue_once(session, "greet", {}, slot=f"greet {n}", now=clock())
        await session.flush()
    async with services.database.transaction() as session:
        for n in range(30):
            work = await service.claim(session, "greet", worker_id="me", now=clock())
            ended = service.finish(session, work, now=clock())
            await (service.fail(session, work, error="no", permanent=True, now=clock()) if n < 5 else ended)
            if n < 5:
                ended.close()

    async def left():
        query = "SELECT coalesce(outcome, 'waiting'), count(*) FROM jobs WHERE kind = 'greet' GROUP BY 1"
        return dict(await rows(query))

    clock.forward(days=6)
    await purge(services, clock, "purge_finished_jobs", "purge_dead_jobs")
    assert await left() == {"done": 25, "dead": 5, "waiting": 5}
    clock.forward(days=2)
    await purge(services, clock, "purge_finished_jobs", "purge_dead_jobs")
    assert await left() == {"dead": 5, "waiting": 5}
    clock.forward(days=23)
    await purge(services, clock, "purge_finished_jobs", "purge_dead_jobs")
    assert await left() == {"waiting": 5}


async def test_a_purge_that_takes_long_is_continued_until_nothing_is_left(
    api, services, clock, rows, monkeypatch
):
    monkeypatch.setattr("goodword.retention.BATCH_SIZE", 2)
    monkeypatch.setattr("goodword.retention.TIME_LIMIT", 0)
    alice = await join(api, "alice")
    for _ in range(4):
        await alice.sign_in()
    assert await rows("SELECT count(*) FROM sessions") == [(5,)]

    clock.forward(days=61)
    await purge(services, clock, "purge_sessions")

    assert await rows("SELECT count(*) FROM sessions") == [(0,)]
    assert await rows("SELECT count(*) FROM jobs WHERE kind = 'purge_sessions' AND outcome = 'done'") == [
        (3,)
    ]


async def test_a_session_used_until_its_last_day_is_deleted_a_month_later(api, services, clock, rows):
    token = (await join(api, "alice")).tokens["refresh_token"]
    for _ in range(4):
        clock.forward(days=22)
        form = {"grant_type": "refresh_token", "refresh_token": token}
        token = (await api.post("/oauth/token", data=form)).json()["refresh_token"]
    clock.forward(days=33)  # 121 days after the sign-in
    await purge(services, clock, "purge_sessions")

    assert await rows("SELECT count(*) FROM sessions") == [(0,)]


async def test_sessions_are_deleted_a_month_after_their_end(api, services, clock, rows):
    alice = await join(api, "alice")
    await alice.delete("/api/v1/me/sessions/current")
    await alice.sign_in()

    clock.forward(days=29)
    await purge(services, clock, "purge_sessions")
    assert await rows("SELECT count(*) FROM sessions") == [(2,)]
    clock.forward(days=2)
    await purge(services, clock, "purge_sessions")
    assert await rows("SELECT count(*) FROM sessions") == [(1,)]
