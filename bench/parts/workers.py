"""The worker: without work, and with many jobs that wait or are scheduled."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import asyncpg

import seed
from row import Figure, Goal, Measure, Result, Row
from stack import CHEAP, Server, Stack, running

MANY, FEW = 100_000, 2_000
"""Jobs. The worker runs fewer than `FEW` while it is measured."""
SETTLED = 0.05
"""Seconds of CPU in a second."""
IDLE = Figure("CPU, ms/s", lambda found: found.cpu / 1000, Goal(10, 5, " ms/s", more=False))
CLAIM = Figure(
    "database CPU of limit", lambda found: found.database_cpu, Goal(1.2, 1.1, more=False), of_limit=True
)


@contextmanager
def workers(stack: Stack) -> Iterator[list[Row]]:
    """Measure a worker for each row. Each runs only while it is measured."""
    with ExitStack() as opened:

        def worker(name: str, scheduled: int) -> tuple[subprocess.Popen[bytes], str]:
            settings = CHEAP | stack.copy(name)
            url = seed.dsn(settings["DATABASE_URL"])
            asyncio.run(_empty(url))
            asyncio.run(_add(url, "scheduled", scheduled))
            process = opened.enter_context(stack.worker(settings))
            _settle(process, stack.postgres.pid)
            return process, url

        few, many = worker("few_jobs", 0), worker("many_jobs", MANY)
        database = stack.postgres.pid
        yield [
            Row(
                f"a worker for 1 s, {MANY:,} jobs scheduled",
                _idle(*many, database),
                [IDLE],
                _idle(*few, database),
                "none scheduled",
            ),
            Row(
                f"a job, {MANY:,} wait and {MANY:,} are scheduled",
                _busy(*many, database, MANY),
                [CLAIM],
                _busy(*few, database, FEW),
                f"{FEW:,} wait",
            ),
        ]


def _settle(worker: subprocess.Popen[bytes], database: int) -> None:
    """Let a worker finish what each start begins: recurring jobs, and the seals of what happened before."""
    with running(worker):
        for _ in range(60):
            with Server("", worker.pid, database).counted_cpu() as used:
                time.sleep(1)
            if used["service"] + used["database"] < SETTLED:
                return


def _idle(worker: subprocess.Popen[bytes], _url: str, database: int) -> Measure:
    def measure(seconds: float) -> Result:
        with running(worker), Server("", worker.pid, database).counted_cpu() as used:
            time.sleep(seconds)
        return Result(
            service_cpu=used["service"] / seconds * 1e6, database_cpu=used["database"] / seconds * 1e6
        )

    return measure


def _busy(worker: subprocess.Popen[bytes], url: str, database: int, waiting: int) -> Measure:
    def measure(seconds: float) -> Result:
        asyncio.run(_add(url, "due", waiting))
        before = asyncio.run(_done(url))
        with running(worker), Server("", worker.pid, database).counted_cpu() as used:
            time.sleep(seconds)
        done = max(1, asyncio.run(_done(url)) - before)
        return Result(
            done / seconds,
            service_cpu=used["service"] / done * 1e6,
            database_cpu=used["database"] / done * 1e6,
        )

    return measure


async def _empty(url: str) -> None:
    """Remove the jobs that sign-ups of other rows have left."""
    connection = await asyncpg.connect(url)
    await connection.execute("TRUNCATE jobs")
    await connection.close()


async def _add(url: str, when: str, wanted: int) -> None:
    """Add jobs that find nothing to do, until so many are due, or scheduled for tomorrow."""
    connection = await asyncpg.connect(url)
    await connection.execute(_ADD.format(wanted=wanted, **_WHEN[when]))
    await connection.execute("VACUUM (ANALYZE) jobs")
    await connection.close()


async def _done(url: str) -> int:
    connection = await asyncpg.connect(url)
    count: int = await connection.fetchval("SELECT count(*) FROM jobs WHERE outcome = 'done'")
    await connection.close()
    return count


_WHEN = {
    "due": {"run_at": "now()", "those": "run_at <= now()"},
    "scheduled": {"run_at": "now() + interval '1 day'", "those": "run_at > now()"},
}
# The notice of a lockout, for an address that has no account.
_ADD = """
    INSERT INTO jobs (id, created_at, kind, payload, run_at, attempts)
    SELECT gen_random_uuid(), now(), 'sign_in_locked',
           '{{"email_key": "missing@example.net", "failures": 20, "where": "anywhere", "request_id": null, "address": null}}',
           {run_at}, 0
    FROM generate_series(1, {wanted} - (SELECT count(*) FROM jobs WHERE finished_at IS NULL AND {those}))
"""
