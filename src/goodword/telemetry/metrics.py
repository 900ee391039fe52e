"""The numbers that `/metrics` shows, in memory that the processes of a node share.

Each process writes a row of its own, and any of them can read all rows. `docs/decisions/0026-metrics.md` explains why.
"""

import json
import mmap
import time
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper limits in seconds."""
VALUES = 1 << 16
"""Values of a process. They suffice for ten times as many routes, and are memory only when used."""
KEYS = VALUES * 8
"""Bytes of a process for the names and labels of its values."""
KEYS_END, SEEN, FIRST = 0, 1, 2
"""The first values of a row: the length of its keys, when it was last written, and the first that has a key."""
STALE_SECONDS = 15.0
"""After which the gauges of a process no longer count: it has ended, or hangs."""

Key = tuple[str | int, ...]
"""The name of a family, and the values of its labels."""


class Family(NamedTuple):
    """A metric with its labels. Each value of a label is from a list that no client can extend."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


COUNTERS = (
    Family(
        CACHE_LOOKUPS := "goodword_cache_lookups",
        "Look-ups by what answered: memory, redis or database.",
        ("result",),
    ),
    Family(EMAILS := "goodword_emails", "E-mails by kind and outcome.", ("kind", "outcome")),
    Family(
        EVENTS := "goodword_events",
        "Recorded events by kind: sign_up, referral_confirmed, refund, or reported for all others of a product.",
        ("kind",),
    ),
    Family(HASHING_REFUSED := "goodword_hashing_refused", "Requests that found the hashing queue full."),
    Family(
        JOB_ATTEMPTS := "goodword_job_attempts",
        "Attempts of jobs by kind and outcome: done, failed (it is tried again) or dead.",
        ("kind", "outcome"),
    ),
    Family(
        PROVIDER_REQUESTS := "goodword_provider_requests",
        "Requests to providers of data by outcome.",
        ("provider", "outcome"),
    ),
    Family(RATE_LIMITED := "goodword_rate_limited", "Requests that a rate limit refused.", ("policy",)),
    Family(
        REWARDS := "goodword_rewards",
        "Rewards by the status that they reached. New ones count as pending, and parts that are taken back as reversed.",
        ("status",),
    ),
    Family(
        SIGN_UPS := "goodword_sign_ups",
        "New users by way: password, the identity of a sign-in provider, or server: reported by a product.",
        ("way",),
    ),
    Family(
        TOUCHES := "goodword_touches",
        "Touches by kind: click (a link was opened) or entry (a code was entered).",
        ("kind",),
    ),
    Family(
        TOUCHES_LOST := "goodword_touches_lost",
        "Touches that were not written: dropped while the database was away, or refused by it.",
        ("reason",),
    ),
    Family(
        WEBHOOK_ATTEMPTS := "goodword_webhook_attempts",
        "Requests to webhook endpoints by outcome: succeeded, failed (it is sent again) or given_up.",
        ("outcome",),
    ),
)
HISTOGRAMS = (
    Family(
        REQUESTS := "goodword_http_request_duration_seconds",
        "Duration of requests.",
        ("method", "route", "status"),
    ),
)
GAUGES = (
    Family(
        POOL_CONNECTIONS := "goodword_db_pool_connections",
        "Connections to the database.",
        ("pool", "state"),
    ),
    Family(POOL_SIZE := "goodword_db_pool_size", "Most connections that a pool opens.", ("pool",)),
    Family(HASHING_RUNNING := "goodword_hashing_running", "Passwords that are being hashed."),
    Family(HASHING_WAITING := "goodword_hashing_waiting", "Passwords that wait to be hashed."),
    Family(PROCESSES := "goodword_processes", "Processes of the node that serve."),
)


class Metrics:
    """The counters, histograms and gauges of a node of `processes`. Only its event loop may call a method.

    A process that replaces another one continues its row, so no counter is lost or counted twice.
    """

    def __init__(self, *, processes: int = 1) -> None:
        self._processes = processes
        self._memory = memoryview(mmap.mmap(-1, processes * (VALUES * 8 + KEYS)))
        self.use_row(0)

    def use_row(self, number: int) -> None:
        """Write to the row of this process from now on."""
        self._values, self._keys = self._row(number)
        self._next = FIRST
        self._places: dict[Key, int] = {}
        for key, at, size in _read(self._values, self._keys):
            self._places[key] = at
            self._next = at + size

    def add(self, *key: str | int, amount: float = 1) -> None:
        """Add to a counter. The key is its name and labels."""
        at = self._places.get(key) or self._place(key, 1)
        self._values[at] += amount

    def set(self, *key: str | int, value: float) -> None:
        """Set the gauge of this process."""
        self._values[self._places.get(key) or self._place(key, 1)] = value

    def observe(self, seconds: float, *key: str | int) -> None:
        """Count an event in its bucket, and add its duration to their sum."""
        at = self._places.get(key) or self._place(key, len(BUCKETS) + 2)
        values = self._values
        values[at + bisect_left(BUCKETS, seconds)] += 1
        values[at + len(BUCKETS) + 1] += seconds

    def beat(self) -> None:
        """Note that the gauges of this process are up to date."""
        self._values[SEEN] = time.monotonic()

    def totals(self) -> dict[Key, list[float]]:
        """Return the sums over all processes by key: one number, or the buckets and the sum of a histogram."""
        gauges = {family.name for family in GAUGES}
        found: dict[Key, list[float]] = {}
        for number in range(self._processes):
            values, keys = self._row(number)
            is_live = time.monotonic() - values[SEEN] < STALE_SECONDS
            for key, at, size in _read(values, keys):
                if is_live or key[0] not in gauges:
                    row = values[at : at + size].tolist()
                    found[key] = [a + b for a, b in zip(found.get(key, [0.0] * size), row, strict=True)]
        return found

    def _row(self, number: int) -> tuple["memoryview[float]", "memoryview[int]"]:
        begin = number * (VALUES * 8 + KEYS)
        middle = begin + VALUES * 8
        return self._memory[begin:middle].cast("d"), self._memory[middle : middle + KEYS]

    def _place(self, key: Key, size: int) -> int:
        """Reserve values for a key, and return the place of the first."""
        line = json.dumps([*key, size]).encode() + b"\n"
        begin, at = int(self._values[KEYS_END]), self._next
        end = begin + len(line)
        if end > KEYS or at + size > VALUES - len(BUCKETS) - 2:
            return VALUES - len(BUCKETS) - 2  # full: written where it is never read
        self._keys[begin:end] = line
        self._values[KEYS_END] = end  # last, because other processes read up to here
        self._places[key], self._next = at, at + size
        return at


def _read(values: "memoryview[float]", keys: "memoryview[int]") -> Iterator[tuple[Key, int, int]]:
    """Yield the keys of a row, and the place and number of their values."""
    at = FIRST
    for line in bytes(keys[: int(values[KEYS_END])]).splitlines():
        *key, size = json.loads(line)
        yield tuple(key), at, size
        at += size
