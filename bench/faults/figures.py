"""Measure what must hold under faults, a figure at a time, and print a table. Fail if an aim is not reached."""

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import contended_codes
import killed_senders
import killed_touches
import killed_workers
import memory
import revocation
import sqlite_kills
import starts
import stops
import upkeep

from measured import Measured

FIGURES: Mapping[str, tuple[str, Callable[[Path, float], Measured]]] = {
    "codes": ("nobody has two active codes", contended_codes.measure),
    "touches": ("at most a second of them lost", killed_touches.measure),
    "jobs": ("none lost", killed_workers.measure),
    "webhooks": ("none lost, in order", killed_senders.measure),
    "sqlite": ("nothing acknowledged lost, integrity ok", sqlite_kills.measure),
    "stops": ("no request failed", stops.measure_stops),
    "replacements": ("no request failed", stops.measure_replacements),
    "revocation": ("refused within 100 ms with Valkey, 5 s without", revocation.measure),
    "memory": ("the memory of a process stops to grow", memory.measure),
    "upkeep": ("10,000,000 rows a day, at most 40 pages for a row", upkeep.measure),
    "starts": ("ready within 1.5 s on SQLite, 3 s on PostgreSQL", starts.measure),
}
"""By name: the aim, and what measures it in a folder with a share of its repetitions."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*", choices=[*FIGURES, []], help="by default all")
    parser.add_argument("--share", type=float, default=1, help="of the repetitions, for a short run")
    options = parser.parse_args()
    is_reached = True
    print("| figure | aim | reached | measured | seconds |\n|---|---|---|---|---|", flush=True)
    for name in options.figures or FIGURES:
        aim, measure = FIGURES[name]
        began = time.monotonic()
        with TemporaryDirectory() as folder:
            found = measure(Path(folder), options.share)
        is_reached = is_reached and found.is_reached
        reached = "yes" if found.is_reached else "**no**"
        print(
            f"| {name} | {aim} | {reached} | {found.text} | {time.monotonic() - began:.0f} |",
            flush=True,
        )
    raise SystemExit(not is_reached)


if __name__ == "__main__":
    main()
