"""Run 10,000 jobs on two workers while workers are killed 20 times."""

import asyncio
from collections import Counter
from pathlib import Path

import servers
from goodword import migrations
from jobs.test_killed_workers import do_all
from measured import Measured, scaled

JOBS, KILLS = 10_000, 20


def measure(folder: Path, share: float) -> Measured:
    jobs, kills = scaled(JOBS, share), scaled(KILLS, share)
    with servers.postgres() as url:

        async def run() -> Measured:
            await migrations.upgrade(url)
            done: Counter[str] = await do_all(url, folder / "done", jobs=jobs, kills=kills)  # type: ignore[no-untyped-call]
            lost, again = jobs - len(done), done.total() - len(done)
            return Measured(f"{jobs:,} jobs, {kills} kills: {lost} lost, {again} ran again", lost == 0)

        return asyncio.run(run())
