"""Measure what must hold under faults, a figure at a time, and print a table."""

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import contended_codes
import killed_workers
import sqlite_kills
import starts
import stops

FIGURES: Mapping[str, tuple[str, Callable[[Path], str]]] = {
    "codes": ("nobody has two active codes", contended_codes.measure),
    "jobs": ("none lost", killed_workers.measure),
    "sqlite": ("nothing acknowledged lost, integrity ok", sqlite_kills.measure),
    "stops": ("no request failed", stops.measure_stops),
    "replacements": ("no request failed", stops.measure_replacements),
    "starts": ("ready within 1.5 s on SQLite, 3 s on PostgreSQL", starts.measure),
}
"""By name: the aim, and what measures it in a folder."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*", choices=[*FIGURES, []], help="by default all")
    print("| figure | aim | measured | seconds |\n|---|---|---|---|", flush=True)
    for name in parser.parse_args().figures or FIGURES:
        aim, measure = FIGURES[name]
        began = time.monotonic()
        with TemporaryDirectory() as folder:
            measured = measure(Path(folder))
        print(f"| {name} | {aim} | {measured} | {time.monotonic() - began:.0f} |", flush=True)


if __name__ == "__main__":
    main()
