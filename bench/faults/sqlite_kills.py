"""Kill the service on SQLite 50 times under load. Compare its file with what it acknowledged."""

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import checker
import fleet
import load
from main import recovered

import serving
from measured import Measured, scaled
from preloaded import Process

KILLS = 50


def measure(folder: Path, share: float) -> Measured:
    port, kills = serving.free_port(), scaled(KILLS, share)
    settings = {"RATE_LIMITS": "off", "LOG_REQUESTS": "changes", "PUBLIC_URL": f"http://127.0.0.1:{port}"}

    def start() -> Process:
        with (folder / "node.log").open("a") as log:
            env = serving.environment(folder, **settings)
            return Process(["serve", "--port", str(port)], cwd=folder, env=env, stdout=log, stderr=log)

    node = fleet.Part(0, start)
    node.start()
    serving.wait_for_port(port)
    with load.running(port, clients=4) as history:
        for _ in range(kills):
            recovered(history, time.monotonic())
            time.sleep(0.5)
            node.kill()
            node.start()
        recovered(history, time.monotonic())
    connection = sqlite3.connect(folder / "data" / "goodword.sqlite3")
    connection.row_factory = sqlite3.Row

    async def fetch(query: str) -> list[Any]:
        return connection.execute(query).fetchall()

    found = asyncio.run(checker.compare(fetch, port, history, folder=folder, **settings))
    node.stop()
    integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
    connection.close()
    print("\n".join(found[:20]))
    text = (
        f"{kills} kills: {len(history.users)} users, {len(history.codes)} codes and {len(history.ended)} sign-outs"
        f" acknowledged, {len(found)} violations, integrity {integrity}"
    )
    return Measured(text, not found and integrity == "ok")
