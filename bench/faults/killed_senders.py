"""Send 10,000 webhook events from two workers while workers are killed 20 times, on PostgreSQL and on SQLite."""

import asyncio
from pathlib import Path

import servers
from goodword import migrations
from measured import Measured, scaled
from webhooks.killed_senders import HISTORY, TOGETHER, Outcome, send_all

EVENTS, KILLS = 10_000, 20


async def _sent(url: str, folder: Path, *, events: int, kills: int) -> Outcome:
    await migrations.upgrade(url)
    return await send_all(url, folder, events=events, kills=kills)


def measure(folder: Path, share: float) -> Measured:
    whole = HISTORY * TOGETHER
    events, kills = max(whole, scaled(EVENTS, share) // whole * whole), scaled(KILLS, share)
    for name in ("postgres", "sqlite"):
        (folder / name).mkdir()
    with servers.postgres() as url:
        found = {"PostgreSQL": asyncio.run(_sent(url, folder / "postgres", events=events, kills=kills))}
    url = f"sqlite+aiosqlite:///{folder / 'webhooks.sqlite3'}"
    found["SQLite"] = asyncio.run(_sent(url, folder / "sqlite", events=events, kills=kills))
    said = [
        f"{name}: {one.lost} lost, {one.again} sent again, {one.unordered + one.changed} not in order, {one.seconds:.0f} s"
        for name, one in found.items()
    ]
    is_reached = all(one.lost == one.unordered == one.changed == 0 for one in found.values())
    return Measured(f"{events:,} events to two endpoints, {kills} kills each; {'; '.join(said)}", is_reached)
