"""Two workers run many jobs while workers are killed: no job is lost. `make fault-figures` runs more of them."""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from datetime import UTC, datetime

from goodword.db.database import Database
from goodword.jobs import service
from preloaded import Process

WORKER = """
import asyncio, os, random, sys
from datetime import timedelta
from goodword.composition import build_services
from goodword.config.settings import Settings
from goodword.jobs import service
from goodword.jobs.worker import Worker

service.LEASE = timedelta(seconds=1)

async def note(_services, work):
    await asyncio.sleep(random.uniform(0, 0.004))
    log = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, f"{work.payload['n']}\\n".encode())
    os.close(log)

services = build_services(Settings(database_url=sys.argv[1], secret_key="x" * 32))
asyncio.run(Worker(services, {"note": note}).run())
"""


def start(url, log):
    return Process(
        ["-c", WORKER, url, str(log)],
        cwd=log.parent,
        env=dict(os.environ),
        stdout=sys.__stdout__,
        stderr=sys.__stderr__,
    )


async def do_all(url, log, *, jobs, kills):
    """Run the jobs on two workers, kill one repeatedly, and return how often each job ran."""
    database = Database(url)
    for begin in range(0, jobs, 1000):
        async with database.transaction() as session:
            for n in range(begin, min(begin + 1000, jobs)):
                service.enqueue(session, "note", {"n": n}, now=datetime.now(UTC))
    workers = [start(url, log) for _ in range(2)]
    try:
        return await _watch(workers, database, url, log, jobs=jobs, kills=kills)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
        await database.close()


async def _watch(workers, database, url, log, *, jobs, kills):
    from sqlalchemy import text

    killed, deadline = 0, time.monotonic() + 60 + jobs / 5
    while time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        done = log.read_text().count("\n") if log.exists() else 0
        if killed < kills and done > (killed + 1) * jobs // (kills + 2):
            victim = killed % 2
            workers[victim].send_signal(signal.SIGKILL)
            workers[victim].wait()
            workers[victim] = start(url, log)
            killed += 1
        elif killed == kills:
            row = await database.row(text("SELECT count(*) AS left FROM jobs WHERE finished_at IS NULL"))
            if row.left == 0:
                return Counter(log.read_text().split())
    raise AssertionError("they did not come to an end")


async def test_only_jobs_of_killed_workers_run_again(app, database_url, tmp_path, rows):
    jobs, kills = 300, 2

    done = await do_all(database_url, tmp_path / "done", jobs=jobs, kills=kills)

    assert set(done) == {str(n) for n in range(jobs)}
    assert done.total() - jobs <= kills * 4, "at most what the killed had in hand"
    assert await rows("SELECT outcome, count(*) FROM jobs GROUP BY outcome") == [("done", jobs)]
