"""Break each part of a fleet under load, check that nothing acknowledged was lost, and print a table."""

import argparse
import asyncio
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import checker
import fleet
import load
from fault_list import FAULTS, Fault
from load import History

from logged_requests import Attempt

RECOVERY_SECONDS = 60
HEAD = "| fault | times | requests | 503 | other errors | longest | without writes | recovered | writes |"


def recovered(history: History, since: float) -> float:
    """Wait until a write that began after `since` succeeds. Return the seconds."""
    while time.monotonic() < since + RECOVERY_SECONDS:
        for attempt in reversed(history.attempts[-200:]):
            if attempt.began > since and attempt.is_write and attempt.status in range(200, 300):
                return attempt.ended - since
        time.sleep(0.05)
    raise TimeoutError("the service did not recover")


def row(name: str, times: int, attempts: list[Attempt], recoveries: list[float]) -> str:
    statuses = [attempt.status for attempt in attempts]
    other = sum(status <= 0 or (status >= 500 and status != 503) for status in statuses)
    written = sorted(
        attempt.ended for attempt in attempts if attempt.is_write and 200 <= attempt.status < 300
    )
    gap = max((after - before for before, after in pairwise([attempts[0].began, *written])), default=0)
    longest = max((attempt.ended - attempt.began for attempt in attempts), default=0)
    return (
        f"| {name} | {times} | {len(attempts)} | {statuses.count(503)} | {other} | {longest:.1f} s | {gap:.1f} s "
        f"| {max(recoveries):.1f} s | {len(written)} |"
    )


def inflict(name: str, fault: Fault, parts: fleet.Fleet, history: History, *, is_short: bool) -> None:
    seconds, times = fault.short if is_short else (fault.seconds, fault.times)
    first, recoveries = len(history.attempts), []
    for _ in range(times):
        fault.inflict(parts, seconds)
        recoveries.append(recovered(history, time.monotonic()))
        time.sleep(1)
    print(row(name, times, history.attempts[first:], recoveries), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="each fault once or twice, for a few seconds")
    parser.add_argument("--only", nargs="*", help="the faults with these words in their name")
    options = parser.parse_args()
    chosen = {
        name: fault
        for name, fault in FAULTS.items()
        if not options.only or any(word in name for word in options.only)
    }
    began = time.monotonic()
    with (
        TemporaryDirectory() as folder,
        fleet.small_disk(Path(folder)) as has_disk,
        fleet.running(Path(folder)) as parts,
    ):
        if not has_disk and "disk full" in chosen:
            del chosen["disk full"]
            print("The disk is not filled: that needs root and the right to mount.")
        print(HEAD + "\n" + "|---" * HEAD.count(" |") + "|", flush=True)
        with load.running(parts.port, clients=4) as history:
            recovered(history, time.monotonic())
            for name, fault in chosen.items():
                inflict(name, fault, parts, history, is_short=options.short)
        found = asyncio.run(checker.violations(parts, history))
        found += ["a traceback in a log"] * ("Traceback" in parts.logs())
        found += [f"status {attempt.status}" for attempt in history.attempts if attempt.status == 500]
        print(
            f"\n{len(history.users)} users, {len(history.codes)} codes, {len(history.ended)} sign-outs acknowledged; "
            f"{len(found)} violations, {time.monotonic() - began:.0f} s"
        )
        if found:
            print("\n".join(found[:50]))
            print("\n".join([line for line in parts.logs().splitlines() if "[error" in line][:50]))
            raise SystemExit(1)


if __name__ == "__main__":
    main()
