"""Run 10,000 jobs on two workers while workers are killed 20 times."""

import asyncio
from collections import Counter
from pathlib import Path

import servers
from goodword import migrations
from jobs.test_killed_workers import do_all

JOBS, KILLS = 10_000, 20


def measure(folder: Path) -> str:
    with servers.postgres() as url:

        async def run() -> str:
            await migrations.upgrade(url)
            done: Counter[str] = await do_all(url, folder / "done", jobs=JOBS, kills=KILLS)  # type: ignore[no-untyped-call]
            return (
                f"{JOBS:,} jobs, {KILLS} kills: {JOBS - len(done)} lost, {done.total() - len(done)} ran again"
            )

        return asyncio.run(run())
