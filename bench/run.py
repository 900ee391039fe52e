"""Measure the service against the limits of this machine, or against another commit: see README.md beside this file."""

import argparse
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import machine
import seed
import table
import wrk
from commits import python_path
from parts import (
    accounts,
    browser_pages,
    codes,
    events,
    links,
    lists,
    look_ups,
    memory,
    participants,
    probes,
    webhooks,
    workers,
)
from row import Part, in_turn
from stack import Stack, stack

RESULTS = Path(__file__).with_name("RESULTS.md")
PARTS: Mapping[str, Part] = {
    "start": memory.start,
    "memory": memory.memory,
    "look-ups": look_ups.warm,
    "cold": look_ups.cold,
    "random": look_ups.random_look_ups,
    "token": look_ups.with_a_token,
    "valkey": look_ups.without_valkey,
    "probes": probes.probes,
    "lists": lists.lists,
    "pools": lists.pools,
    "pages": browser_pages.pages,
    "links": links.links,
    "sign-in": accounts.sign_in,
    "codes": codes.codes,
    "sign-up": accounts.sign_up,
    "participants": participants.participants,
    "events": events.events,
    "hunter": accounts.hunter,
    "workers": workers.workers,
    "webhooks": webhooks.webhooks,
}
"""The parts of the table by the names that `--rows` takes."""


def against_limits(stack: Stack, part: Part, *, rounds: int, seconds: float) -> list[list[str]]:
    """Return the lines of a part. Each row is measured in turn with its limit."""
    lines = []
    with part(stack) as rows:
        for row in rows:
            measures = [row.measure, row.limit] if row.limit else [row.measure]
            found = in_turn(measures, rounds=rounds, seconds=seconds * row.longer)
            lines += _said(table.lines(row, found[0], found[1] if row.limit else []))
    return lines


def against_commit(
    stacks: tuple[Stack, Stack], part: Part, *, rounds: int, seconds: float
) -> list[list[str]]:
    """Return the lines of a part. Each row is measured in turn at both commits."""
    lines = []
    with part(stacks[0]) as before, part(stacks[1]) as after:
        for old, new in zip(before, after, strict=True):
            found = in_turn([old.measure, new.measure], rounds=rounds, seconds=seconds * new.longer)
            lines += _said(table.compared(new, *found))
    return lines


def _said(lines: table.Lines) -> list[list[str]]:
    """Print the lines as they come: a run takes minutes."""
    said = list(lines)
    for line in said:
        print(*line, sep=" | ", file=sys.stderr, flush=True)
    return said


def main() -> None:
    given = _arguments()
    wrk.require()
    parts = [PARTS[name] for name in given.rows or PARTS]
    began, described, load = time.monotonic(), machine.described(), machine.load()
    times = {"rounds": given.rounds, "seconds": given.seconds}
    lines: list[list[str]] = []
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="goodword-bench-")))

        def filled(name: str, **source: str) -> Stack:
            (folder / name).mkdir()
            made = opened.enter_context(stack(folder / name, **source))
            made.fill(seed.CROWD)
            return made

        if given.compare:
            source = opened.enter_context(python_path(given.compare, folder / "commit"))
            stacks = filled("before", python_path=source), filled("after")
            for part in parts:
                lines += against_commit(stacks, part, **times)
        else:
            measured = filled("databases")
            for part in parts:
                lines += against_limits(measured, part, **times)
    head = table.COMPARED if given.compare else table.HEAD + table.FIGURE
    text = "\n".join(
        [
            f"# Results of `make bench{f' COMPARE={given.compare}' if given.compare else ''}`\n",
            f"{described}.",
            f"Load average before {load}, after {machine.load()}.",
            f"{given.seconds:g} s for each figure, in {given.rounds} turns; {time.monotonic() - began:.0f} s in all.\n",
            table.render(lines, head),
        ]
    )
    print(text)
    results = given.results or (None if given.rows or given.compare else RESULTS)
    if results:
        results.write_text(text + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6, help="how long each row is measured")
    parser.add_argument("--rounds", type=int, default=3, help="in how many turns")
    parser.add_argument("--rows", nargs="+", choices=PARTS, metavar="NAME", help=f"only {', '.join(PARTS)}")
    parser.add_argument(
        "--compare", metavar="COMMIT", help="measure this commit and the working tree in turn"
    )
    parser.add_argument("--results", type=Path, help="the file for the table; RESULTS.md if it is whole")
    return parser.parse_args()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop what was started
    with suppress(KeyboardInterrupt):
        main()
