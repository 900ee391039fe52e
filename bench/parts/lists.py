"""Pages of referrals: against the driver, from the first to the last, and their tail."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from client import ask, sign_in
from parts.look_ups import check_alike, tails
from row import Figure, Goal, Measure, Row
from seed import HUNDRED_THOUSAND, THOUSAND
from stack import Server, Stack
from wrk import to

RATE = Figure("requests/s of limit", lambda found: found.per_second, Goal(0.30, 0.50), of_limit=True)
DRIVER_CPU = 319
"""The µs of CPU of the bare driver on the machine for which bounds in µs were written."""
CPU = Figure(
    "service CPU",
    lambda found: found.service_cpu,
    Goal(500, 350, " µs", more=False),
    of_limit=True,
    limit_is=DRIVER_CPU,
)
LAST = Figure("p50 of limit", lambda found: found.p50, Goal(1.3, 1.1, more=False), of_limit=True)


@contextmanager
def lists(stack: Stack) -> Iterator[list[Row]]:
    with stack.service() as service, stack.limit("driver") as driver:
        token, path = sign_in(service, THOUSAND)
        check_alike(ask(service, path, token=token), ask(driver, path))
        long_token, first = sign_in(service, HUNDRED_THOUSAND)
        last, beginning = (
            to(service, [page], token=long_token, connections=2)
            for page in (_last_page(service, first, long_token), first)
        )
        ours, theirs = to(service, [path], token=token), to(driver, [path])
        yield [
            Row("referrals, first 50", ours, [RATE, CPU], theirs, "bare ASGI + driver"),
            Row("referrals, last page of 100,000", last, [LAST], beginning, "first page"),
            *tails("page of 50 referrals", service, [path], token),
        ]


@contextmanager
def pools(stack: Stack) -> Iterator[list[Row]]:
    """Measure whether more connections to PostgreSQL shorten the waits."""
    with stack.service({"POOL_SIZE": "10"}) as few, stack.service({"POOL_SIZE": "40"}) as many:

        def page(service: Server) -> Measure:
            token, path = sign_in(service, THOUSAND)
            return to(service, [path], token=token, connections=64)

        ours, theirs = page(few), page(many)
        yield [Row("page of 50, 64 connections, pools of 10", ours, (), theirs, "pools of 40")]


def _last_page(service: Server, path: str, token: str) -> str:
    """Follow the cursors to the end, by hundreds."""
    page = following = f"{path}?limit=100"
    while True:
        cursor = json.loads(ask(service, following, token=token))["next_cursor"]
        if cursor is None:
            return page.replace("limit=100", "limit=50")
        page, following = following, f"{path}?limit=100&cursor={cursor}"
