"""Measure the memory of a process under load for an hour: it stops to grow."""

import time
from pathlib import Path
from statistics import mean

import load

import machine
import servers
import serving
from measured import Measured

MINUTES = 60
SAMPLES = 120
MAX_GROWTH = 4.0
"""MiB, from the third quarter of the time to the fourth: the limit of noise. Caches are full by then."""


def measure(folder: Path, share: float) -> Measured:
    with servers.postgres_server() as postgres, servers.valkey() as valkey:
        settings = {"DATABASE_URL": postgres.url, "REDIS_URL": valkey.url, "SECRET_KEY": "f" * 40}
        migrated = serving.goodword(folder, "migrate", **settings)
        assert migrated.returncode == 0, migrated.stderr
        with serving.serving(folder, within=serving.UNFORKED, RATE_LIMITS="off", **settings) as served:
            port = int(served.url.rpartition(":")[2])
            start = machine.memory(served.process.pid)[0]
            with load.running(port, clients=4, pause=0.03) as history:
                sizes = []
                for _ in range(SAMPLES):
                    time.sleep(MINUTES * 60 * share / SAMPLES)
                    sizes.append(machine.memory(served.process.pid)[0])
                calls = len(history.attempts)
    quarters = [mean(sizes[begin : begin + SAMPLES // 4]) for begin in range(0, SAMPLES, SAMPLES // 4)]
    text = (
        f"{MINUTES * share:.0f} minutes, {calls:,} calls: {start:.0f} MiB at the start, then by quarters"
        f" {', '.join(f'{size:.1f}' for size in quarters)}, at most {max(sizes):.1f} MiB"
    )
    return Measured(text, quarters[3] - quarters[2] <= MAX_GROWTH)
