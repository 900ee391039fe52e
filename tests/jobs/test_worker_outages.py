"""The worker outlives its database, in every phase."""

import asyncio
import signal
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from sqlalchemy import select

from database_away import database, reachable
from goodword.db.database import Database
from goodword.jobs import service
from goodword.jobs.models import Job
from goodword.jobs.worker import Worker
from serving import free_port, working
from worker_probes import probe, until

__all__ = ["database"]  # a fixture
OUTCOME = select(Job.outcome, Job.attempts)
SECRET = "k4Jt-9vQ2mZx7Lp0RbWc5NfHs8GdYa1E"


async def test_the_worker_waits_at_the_start_and_later_and_says_so_once(tmp_path, database):
    (here, there), port = database, free_port()
    settings = {"DATABASE_URL": there, "SECRET_KEY": SECRET, "WORKER_HEALTH_PORT": str(port)}
    with working(tmp_path, **settings) as worker:
        for _ in range(2):
            await until(port, 503)
            assert await probe(port, "/livez") == 200
            async with reachable(here, there):
                await until(port, 200)
        await until(port, 503)
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait, 60) == 0

    assert await probe(port, "/livez") is None
    log = (tmp_path / "worker.log").read_text()
    assert log.count("waiting for the database") == 3
    assert log.count("the database can be used") == 2
    assert "Traceback" not in log


async def test_a_worker_that_waits_at_its_start_can_be_stopped(tmp_path, database):
    port = free_port()
    settings = {"DATABASE_URL": database[1], "SECRET_KEY": SECRET, "WORKER_HEALTH_PORT": str(port)}
    with working(tmp_path, **settings) as worker:
        await until(port, 503)
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait, 60) == 0


@pytest.mark.parametrize("database_kind", ["postgres"], scope="session")
async def test_a_job_that_ends_during_an_outage_runs_once(app, clock, database, monkeypatch, capsys):
    monkeypatch.setattr("goodword.jobs.worker.POLL_SECONDS", 0.05)
    here, there = database
    direct, cut = Database(here), Database(there)
    runs, go_on, ended = [], asyncio.Event(), asyncio.Event()

    async def greet(_services, work):
        runs.append(work.attempt)
        await go_on.wait()
        ended.set()

    async with direct.transaction() as session:
        service.enqueue(session, "greet", {}, now=clock())
    worker = Worker(replace(app.state.services, database=cut), {"greet": greet})
    async with asyncio.timeout(60), AsyncExitStack() as running:
        async with reachable(here, there):
            await running.enter_async_context(worker.running())
            while not runs:  # noqa: ASYNC110  it is read as well as waited for
                await asyncio.sleep(0.01)
        go_on.set()
        await ended.wait()
        await asyncio.sleep(0.3)
        clock.forward(seconds=61)  # the lease expires
        async with reachable(here, there):
            while (row := await direct.row(OUTCOME)).outcome is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    await direct.close()
    await cut.close()

    assert (row.outcome, row.attempts, runs) == ("done", 1, [1])
    assert capsys.readouterr().out.count("waiting for the database") == 1
