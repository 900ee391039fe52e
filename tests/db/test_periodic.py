"""Periodic tasks of a process."""

import asyncio

from goodword.db.periodic import repeat


async def test_a_task_that_is_due_sooner_ends_at_whatever_moment_it_is_cancelled():
    async def nothing() -> None:
        pass

    for steps in range(8):
        sooner = asyncio.Event()
        repeating = asyncio.create_task(repeat("nothing", nothing, every=60, sooner=sooner))
        await asyncio.sleep(0.001)
        sooner.set()
        for _ in range(steps):
            await asyncio.sleep(0)
        repeating.cancel()
        done, _ = await asyncio.wait({repeating}, timeout=1)

        assert done, f"{steps} steps"
