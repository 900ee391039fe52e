"""The smallest requests, beside a route that does nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from row import Figure, Goal, Measure, Row
from stack import Stack
from wrk import to

BARE = "bare FastAPI route"
BARE_CPU = 60
"""The µs of CPU of the bare route on the machine for which bounds in µs were written."""

BOUNDS = {"/livez": (60, 40), "/nothing-here": (100, 60), "/readyz": (200, 120)}


def cpu(name: str, least: float, aim: float) -> Figure:
    """Return the figure of a CPU time, beside the bare route: as if this took `BARE_CPU` here too."""
    goal = Goal(least, aim, " µs", more=False)
    return Figure(name, lambda found: found.cpu, goal, of_limit=True, limit_is=BARE_CPU)


@contextmanager
def bare_route(stack: Stack) -> Iterator[Measure]:
    with stack.limit("fixed", b"{}") as limit:
        yield to(limit, ["/api/v1/referral-codes/any"])


@contextmanager
def probes(stack: Stack) -> Iterator[list[Row]]:
    with stack.service() as service, bare_route(stack) as bare:
        yield [
            Row(f"GET {path}", to(service, [path]), [cpu("CPU", *bounds)], bare, BARE)
            for path, bounds in BOUNDS.items()
        ]
