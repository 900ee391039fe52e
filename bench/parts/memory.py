"""Memory and start."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import machine
from client import sign_in
from parts.accounts import joining, sign_ins
from parts.look_ups import by_email, trickle
from row import Figure, Goal, Result, Row
from seed import CROWD, THOUSAND
from stack import Stack
from wrk import drive

AT_START, AFTER, LARGEST = "PSS of all at start, MiB", "PSS of all after load, MiB", "RSS of the largest, MiB"
MANY, READY = "more in a worker, MiB", "until ready, s"


def _extra(name: str, least: float, aim: float) -> Figure:
    title, _, unit = name.rpartition(", ")
    return Figure(title, lambda found: found.extras[name], Goal(least, aim, f" {unit}", more=False))


@contextmanager
def memory(stack: Stack) -> Iterator[list[Row]]:
    """Measure the memory, with a service for each figure, because memory that was used once stays."""

    def loaded(seconds: float) -> Result:
        with stack.service() as service:
            at_start = machine.memory_of_all(service.pid)
            token, path = sign_in(service, THOUSAND)
            drive(service, by_email(range(CROWD.codes)), seconds, connections=64)
            drive(service, [path], seconds, token=token, connections=64)
            drive(service, sign_ins(), seconds)
            joining(service)(seconds)
            largest = max(machine.memory(pid)[0] for pid in service.workers)
            after = machine.memory_of_all(service.pid)
        return Result(extras={AT_START: at_start, AFTER: after, LARGEST: largest})

    def many_sign_ins(seconds: float) -> Result:
        """Measure what 500 sign-ins at once add to a worker that has only answered look-ups before."""
        with stack.service() as service:
            trickle(service, 2)
            before = {pid: machine.memory(pid)[0] for pid in service.workers}
            for pid in before:
                machine.forget_peak(pid)
            drive(service, sign_ins(), seconds, connections=500)
            more = max(machine.peak(pid) - resident for pid, resident in before.items())
        return Result(extras={MANY: more})

    figures = [_extra(AT_START, 200, 140), _extra(AFTER, 260, 180), _extra(LARGEST, 130, 100)]
    yield [
        Row("memory of `serve --workers 2`", loaded, figures),
        Row("memory, 500 sign-ins at once", many_sign_ins, [_extra(MANY, 64, 32)]),
    ]


@contextmanager
def start(stack: Stack) -> Iterator[list[Row]]:
    """Measure the time until `/readyz` is 200, on an embedded database that exists and is current."""
    folder = Path(mkdtemp(dir=stack.folder))

    def started(_seconds: float) -> Result:
        began = time.monotonic()
        with stack.embedded(folder):
            return Result(extras={READY: time.monotonic() - began})

    yield [Row("start on SQLite", started, [_extra(READY, 1.0, 0.7)])]
