"""Jobs run at least once, after the commit of their transaction, on one worker at a time."""

import asyncio
import os
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from goodword.db.database import Database
from goodword.jobs import service
from goodword.jobs.worker import Worker
from preloaded import Process

STATE = "SELECT outcome, attempts, error FROM jobs"

VICTIM = """
import asyncio, os, signal, sys
from goodword.composition import build_services
from goodword.config.settings import Settings
from goodword.jobs.worker import Worker

async def die(services, work):
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    services = build_services(Settings(database_url=sys.argv[1], secret_key="x" * 32))
    await Worker(services, {"greet": die}).run()

asyncio.run(main())
"""


@pytest.fixture
async def services(app, database_url):
    """Yield services with their own engines, like those of another process."""
    database = Database(database_url)
    yield replace(app.state.services, database=database)
    await database.close()


@pytest.fixture
def worker_of(services):
    def make(**handlers):
        return Worker(services, handlers)

    return make


@pytest.fixture
def enqueue(app, clock):
    async def enqueue(kind="greet", *, delay=timedelta(0), **payload):
        async with app.state.services.database.transaction() as session:
            service.enqueue(session, kind, payload, now=clock(), run_at=clock() + delay)

    return enqueue


async def nothing(services, work):
    pass


async def test_a_job_runs_with_its_payload(worker_of, enqueue, rows):
    done = []

    async def greet(services, work):
        done.append((work.payload, work.attempt))

    await enqueue(name="Jürgen ☃", numbers=[1, 2])

    assert await worker_of(greet=greet).run_due() == 1
    assert done == [({"name": "Jürgen ☃", "numbers": [1, 2]}, 1)]
    assert await rows("SELECT outcome, attempts, payload, leased_by FROM jobs") == [("done", 1, "{}", None)]


async def test_a_rolled_back_transaction_adds_no_job(app, clock, worker_of, rows):
    async def fail():
        async with app.state.services.database.transaction() as session:
            service.enqueue(session, "greet", {}, now=clock())
            await session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        await fail()

    assert await rows(STATE) == []
    assert await worker_of(greet=nothing).run_due() == 0


async def test_a_job_waits_until_run_at(worker_of, enqueue, clock):
    worker = worker_of(greet=nothing)
    await enqueue(delay=timedelta(hours=1))

    assert await worker.run_due() == 0
    clock.forward(hours=1)
    assert await worker.run_due() == 1


async def test_the_oldest_job_runs_first(worker_of, enqueue):
    done = []

    async def greet(services, work):
        done.append(work.payload["n"])

    await enqueue(n=2)
    await enqueue(n=1, delay=-timedelta(hours=1))
    await enqueue(n=3)
    await worker_of(greet=greet).run_due()

    assert done == [1, 2, 3]


async def test_jobs_of_an_unknown_kind_are_not_claimed(worker_of, enqueue, rows):
    await enqueue("from_the_future")

    assert await worker_of(greet=nothing).run_due() == 0
    assert await rows(STATE) == [(None, 0, None)]


async def test_failed_jobs_are_retried_with_growing_delays(worker_of, enqueue, rows, clock):
    async def break_down(services, work):
        raise ValueError("alice@example.com")

    worker = worker_of(greet=break_down)
    await enqueue()
    waited = []
    for _ in range(service.MAX_ATTEMPTS - 1):
        assert await worker.run_due() == 1
        assert await worker.run_due() == 0, "not before its delay has passed"
        before = clock.ahead
        while await worker.run_due() == 0:
            clock.forward(seconds=5)
            if clock.ahead - before > timedelta(hours=2):
                break
        waited.append(clock.ahead - before)
        break
    ((outcome, attempts, error),) = await rows(STATE)

    assert (outcome, attempts) == (None, 2)
    assert timedelta(seconds=5) <= waited[0] <= timedelta(seconds=15)
    assert error.startswith("ValueError in test_jobs.py:"), "not the message, which may contain personal data"


async def test_a_job_is_dead_after_the_last_attempt(worker_of, enqueue, rows, clock):
    async def break_down(services, work):
        raise ValueError

    worker = worker_of(greet=break_down)
    await enqueue(email="alice@example.com")
    for _ in range(service.MAX_ATTEMPTS + 5):
        await worker.run_due()
        clock.forward(hours=2)

    outcome, attempts, _ = (await rows(STATE))[0]
    assert (outcome, attempts) == ("dead", service.MAX_ATTEMPTS)
    assert await rows("SELECT payload FROM jobs") == [('{"email":"alice@example.com"}',)], "to be run again"


def test_retry_delays_grow_to_an_hour_with_jitter():
    delays = [[service.retry_delay(attempt) for _ in range(50)] for attempt in range(1, 11)]

    assert all(max(shorter) < min(longer) * 1.7 for shorter, longer in pairwise(delays))
    assert min(delays[0]) >= timedelta(seconds=7.5)
    assert max(delays[-1]) <= timedelta(minutes=75)
    assert len(set(delays[3])) > 10


async def test_a_failed_job_does_not_block_others(worker_of, enqueue, rows):
    async def fail_on_two(services, work):
        if work.payload["n"] == 2:
            raise OSError

    for n in (1, 2, 3):
        await enqueue(n=n)

    assert await worker_of(greet=fail_on_two).run_due() == 3
    assert Counter(outcome for outcome, _, _ in await rows(STATE)) == {"done": 2, None: 1}


async def test_concurrent_workers_run_each_job_once(services, enqueue, rows):
    done = []

    async def greet(services, work):
        done.append(work.id)
        await asyncio.sleep(0)

    for _ in range(60):
        await enqueue()
    workers = [Worker(services, {"greet": greet}) for _ in range(6)]
    counts = await asyncio.gather(*(worker.run_due() for worker in workers))

    assert sum(counts) == 60
    assert len(set(done)) == len(done) == 60
    assert set(await rows(STATE)) == {("done", 1, None)}


async def test_a_leased_job_is_not_claimed_until_the_lease_expires(services, enqueue, rows, clock):
    await enqueue(n=1)
    async with services.database.transaction() as session:
        gone = await service.claim(session, "greet", worker_id="a stopped worker", now=clock())
    worker = Worker(services, {"greet": nothing})

    clock.forward(seconds=59)
    assert await worker.run_due() == 0
    clock.forward(seconds=2)
    assert await worker.run_due() == 1
    assert await rows(STATE) == [("done", 2, None)]

    async with services.database.transaction() as session:
        assert not await service.finish(session, gone, now=clock())
        assert not await service.fail(session, gone, error="late", now=clock())
    assert await rows(STATE) == [("done", 2, None)]


async def test_a_worker_that_lost_its_lease_cannot_finish_the_job(services, enqueue, rows, clock):
    await enqueue()
    async with services.database.transaction() as session:
        first = await service.claim(session, "greet", worker_id="first", now=clock())
    clock.forward(seconds=61)
    async with services.database.transaction() as session:
        second = await service.claim(session, "greet", worker_id="second", now=clock())

    async with services.database.transaction() as session:
        assert not await service.finish(session, first, now=clock())
        assert not await service.fail(session, first, error="late", now=clock())
        assert not await service.is_claimed(session, first)
        assert await service.finish(session, second, now=clock())


async def test_a_job_that_kills_its_workers_is_dead_in_the_end(services, enqueue, rows, clock):
    await enqueue()
    for n in range(service.MAX_ATTEMPTS):
        async with services.database.transaction() as session:
            assert await service.claim(session, "greet", worker_id=f"victim {n}", now=clock()) is not None
        clock.forward(seconds=61)

    assert await Worker(services, {"greet": nothing}).run_due() == 0
    assert (await rows(STATE))[0][0] == "dead"


async def test_a_hanging_handler_times_out_before_its_lease(worker_of, enqueue, rows, monkeypatch):
    async def hang(services, work):
        await asyncio.Event().wait()

    monkeypatch.setattr("goodword.jobs.worker.TIME_LIMIT_SECONDS", 0.05)
    await enqueue()

    assert await worker_of(greet=hang).run_due() == 1
    outcome, attempts, error = (await rows(STATE))[0]
    assert (outcome, attempts) == (None, 1)
    assert error.startswith("TimeoutError")


async def test_a_commit_wakes_the_worker_of_the_process(services, clock, monkeypatch):
    # The next poll is an hour away.
    monkeypatch.setattr("goodword.jobs.worker.POLL_SECONDS", 3600)
    done = asyncio.Event()

    async def greet(services, work):
        done.set()

    worker = Worker(services, {"greet": greet})
    async with worker.running():
        await asyncio.sleep(0.2)  # it looks once, finds nothing, and waits
        async with services.database.transaction() as session:
            service.enqueue(session, "greet", {}, now=clock())
        async with asyncio.timeout(10):
            await done.wait()


async def test_the_worker_finds_jobs_of_other_processes(services, enqueue):
    done = asyncio.Event()

    async def greet(services, work):
        done.set()

    async with Worker(services, {"greet": greet}).running(), asyncio.timeout(10):
        await enqueue()
        await done.wait()


async def test_shutdown_waits_for_the_running_job(services, enqueue, rows):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def greet(services, work):
        begun.set()
        await go_on.wait()

    await enqueue()
    await enqueue()
    worker = Worker(services, {"greet": greet}, concurrency=1)
    async with worker.running():
        await begun.wait()
        worker.stop()
        go_on.set()

    assert Counter(outcome for outcome, _, _ in await rows(STATE)) == {"done": 1, None: 1}


async def test_database_errors_do_not_stop_the_worker(services, enqueue, monkeypatch):
    from sqlalchemy.exc import OperationalError

    monkeypatch.setattr("goodword.jobs.worker.POLL_SECONDS", 0.01)
    claim, calls, done = service.claim, [], asyncio.Event()

    async def flaky(*arguments, **options):
        calls.append(1)
        if len(calls) < 3:
            raise OperationalError("claim", {}, OSError())
        return await claim(*arguments, **options)

    async def greet(services, work):
        done.set()

    monkeypatch.setattr(service, "claim", flaky)
    await enqueue()
    async with Worker(services, {"greet": greet}).running(), asyncio.timeout(10):
        await done.wait()


async def test_jobs_of_a_killed_worker_run_again(services, database_url, enqueue, rows, clock, tmp_path):
    done = []

    async def greet(services, work):
        done.append((work.payload["name"], work.attempt))

    await enqueue(name="alice")
    victim = Process(
        ["-c", VICTIM, database_url],
        cwd=tmp_path,
        env=dict(os.environ),
        stdout=sys.__stdout__,
        stderr=sys.__stderr__,
    )
    assert await asyncio.to_thread(victim.wait, 60) == -9
    worker = Worker(services, {"greet": greet})

    assert await worker.run_due() == 0, "the lease of the dead one still holds"
    clock.forward(seconds=61)
    assert await worker.run_due() == 1

    assert done == [("alice", 2)]
    assert await rows("SELECT outcome, attempts FROM jobs") == [("done", 2)]
