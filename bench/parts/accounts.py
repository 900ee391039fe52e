"""Sign-in and sign-up."""

import itertools
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import seed
from parts.look_ups import trickle
from pgbench import pgbench
from row import Figure, Goal, Measure, Result, Row
from seed import CROWD
from stack import CHEAP, WORKERS, Server, Stack, running
from wrk import drive, to

HASHING = Path(__file__).parent.parent / "password_hashing.py"
BYSTANDER = Figure("p99", lambda found: found.p99, Goal(100, 50, " ms", more=False))
RATE = Figure("requests/s of limit", lambda found: found.per_second, Goal(0.90, 0.95), of_limit=True)
SIGN_UP = Figure("requests/s of limit", lambda found: found.per_second, Goal(0.25, 0.40), of_limit=True)
HUNTER = (
    Figure("p99 of limit", lambda found: found.p99, Goal(1.10, 1.05, more=False), of_limit=True),
    Figure(
        "database CPU of limit", lambda found: found.database_cpu, Goal(1.5, 1.2, more=False), of_limit=True
    ),
)


def sign_ins() -> list[str]:
    """Return sign-ins of many users, so that no limit of one account matters."""
    people = random.Random(4).sample(range(CROWD.people), 10_000)
    return [
        "/api/v1/sessions\t" + json.dumps({"email": seed.email(n), "password": seed.PASSWORD}) for n in people
    ]


@contextmanager
def sign_in(stack: Stack) -> Iterator[list[Row]]:
    lines = sign_ins()
    with stack.service() as service:

        def bystander(seconds: float) -> Result:
            with ThreadPoolExecutor() as pool:
                busy = pool.submit(drive, service, lines, seconds + 1)
                time.sleep(0.5)
                found = trickle(service, seconds)
                busy.result()
            return replace(found, service_cpu=0, database_cpu=0)  # most of it went to the sign-ins

        yield [
            Row("sign-in", to(service, lines), [RATE], _hashing, "hashing alone", longer=2),
            Row("code by e-mail while people sign in", bystander, [BYSTANDER]),
        ]


@contextmanager
def sign_up(stack: Stack) -> Iterator[list[Row]]:
    def limit(seconds: float) -> Result:
        return pgbench(stack, "signup", CROWD.codes, seconds)

    with stack.service(CHEAP) as service:
        yield [Row("sign-up, cheap hash", joining(service), [SIGN_UP], limit, "pgbench, its statements")]


@contextmanager
def hunter(stack: Stack) -> Iterator[list[Row]]:
    """Measure sign-ups while Hunter accepts connections and sends nothing, with a worker and a database for each service."""
    without = CHEAP | stack.copy("without_hunter")
    with socket.create_server(("127.0.0.1", 0), backlog=128) as silent:
        hanging = CHEAP | stack.copy("with_hunter")
        hanging |= {"EMAIL_CHECK": "async", "HUNTER_API_KEY": "anything"}
        hanging["HUNTER_URL"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with _with_worker(stack, hanging) as ours, _with_worker(stack, without) as theirs:
            yield [Row("sign-up, Hunter hangs", ours, HUNTER, theirs, "no Hunter")]


@contextmanager
def _with_worker(stack: Stack, settings: dict[str, str]) -> Iterator[Measure]:
    """Yield the measurement of sign-ups with a worker that runs only meanwhile.

    Two clients, so that the p99 contains no queue.
    """
    with stack.service(settings) as service, stack.worker(settings) as worker:
        join = joining(service, 2)

        def measure(seconds: float) -> Result:
            with running(worker):
                return join(seconds)

        yield measure


def joining(service: Server, connections: int = 16) -> Measure:
    tags = itertools.count()

    def measure(seconds: float) -> Result:
        tag = next(tags)
        codes = [2 + (tag * 7919 + n) % (CROWD.codes - 2) for n in range(20_000)]
        lines = seed.joiners(f"{service.pid}-{tag}", codes)
        return drive(service, lines, seconds, connections=connections)

    return measure


def _hashing(seconds: float) -> Result:
    """Hash in as many processes, and threads in each, as the service."""
    threads = len(os.sched_getaffinity(0))
    command = [sys.executable, str(HASHING), str(WORKERS), str(threads), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rate, cpu = map(float, done.stdout.split())
    return Result(rate, service_cpu=cpu)
