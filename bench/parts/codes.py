"""Codes: created, activated, deleted."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import seed
from client import Request, send_once, tokens
from parts.probes import BARE, bare_route, cpu
from pgbench import pgbench
from row import Measure, Result, Row, middle
from seed import CROWD
from stack import CHEAP, Server, Stack

OWNERS = seed.WITHOUT_CODE[:96]
PATH = "/api/v1/me/referral-codes"
TERM = {"lifetime": 604_800}
CREATE = cpu("service and database CPU", 2200, 1500)


@contextmanager
def codes(stack: Stack) -> Iterator[list[Row]]:
    asyncio.run(seed.cheapen(stack.postgres.url, OWNERS))
    with stack.service(CHEAP) as service, bare_route(stack) as bare:
        owners, names = tokens(service, OWNERS), itertools.count()

        def create(active: bool) -> tuple[Result, list[str]]:
            run = next(names)
            wanted = [f"{seed.code(run)}-{number}" for number in range(len(owners))]
            bodies = [TERM | {"code": name, "active": active} for name in wanted]
            requests = [Request("POST", PATH, *of) for of in zip(bodies, owners, strict=True)]
            return send_once(service, requests)[0], wanted

        def created(_seconds: float) -> Result:
            found, wanted = create(active=True)
            _delete(service, wanted, owners)
            return found

        def lives(_seconds: float) -> Result:
            found, wanted = create(active=False)
            activations = [
                Request("POST", f"{PATH}/{name}/activate", {}, token)
                for name, token in zip(wanted, owners, strict=True)
            ]
            return _together(found, send_once(service, activations)[0], _delete(service, wanted, owners))

        def limit(seconds: float) -> Result:
            return pgbench(stack, "code", CROWD.codes, seconds)

        yield [
            Row("create a code", _repeated(created), [CREATE], bare, BARE),
            Row(
                "a code created, activated, deleted",
                _repeated(lives),
                (),
                limit,
                "pgbench, its statements",
            ),
        ]


def _delete(service: Server, names: Sequence[str], owners: Sequence[str]) -> Result:
    requests = [
        Request("DELETE", f"{PATH}/{name}", None, token) for name, token in zip(names, owners, strict=True)
    ]
    return send_once(service, requests)[0]


def _repeated(measure: Measure) -> Measure:
    """Measure again until the time is over."""

    def measure_again(seconds: float) -> Result:
        began, found = time.monotonic(), [measure(seconds)]
        while time.monotonic() < began + seconds:
            found.append(measure(seconds))
        return middle(found)

    return measure_again


def _together(*steps: Result) -> Result:
    """Return the result of steps that follow each other. The times are those of single requests."""
    longest = max(steps, key=lambda step: step.p99)
    return Result(
        per_second=1 / sum(1 / step.per_second for step in steps),
        p50=longest.p50,
        p99=longest.p99,
        most=longest.most,
        service_cpu=sum(step.service_cpu for step in steps),
        database_cpu=sum(step.database_cpu for step in steps),
    )
