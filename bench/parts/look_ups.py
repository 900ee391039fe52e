"""Look-ups of codes: from memory, from the database, with a token, and without Valkey."""

import os
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from signal import SIGCONT, SIGSTOP

from client import ask, sign_in
from row import Figure, Goal, Result, Row
from seed import BY_EMAIL, BY_STRING, CROWD, HOT, code, email
from stack import NO_CACHE, Refused, Server, Stack
from wrk import drive, to

BARE = "bare FastAPI route, same bytes"
OTHERS = range(HOT.stop, CROWD.codes)
RATE = Figure("requests/s of limit", lambda found: found.per_second, Goal(0.75, 0.90), of_limit=True)
WARM = (Figure("limit, by CPU", lambda found: 1 / found.service_cpu, Goal(0.80, 1.0), of_limit=True), RATE)


@contextmanager
def warm(stack: Stack) -> Iterator[list[Row]]:
    """Measure repeated look-ups against a route that does nothing: the framework allows nothing faster."""
    few = HOT[:100]  # the more codes, the longer until each process has all of them in memory
    many, strings = by_email(few), [BY_STRING + code(n) for n in few]
    with stack.service() as service, ExitStack() as limits:

        def limit(name: str, path: str) -> Server:
            return limits.enter_context(stack.limit(name, ask(service, path)))

        for paths in (many, strings):
            drive(service, paths, 2)
        one, other, bare = limit("fixed", many[0]), limit("fixed", strings[0]), limit("constant", many[0])
        yield [
            Row("code by e-mail, warm, 100 codes", to(service, many), WARM, to(one, many), BARE),
            Row("code by e-mail, warm, one code", to(service, many[:1]), WARM, to(one, many[:1]), BARE),
            Row("code by string, warm", to(service, strings), WARM, to(other, strings), BARE),
            Row("bare ASGI, same bytes", to(bare, many)),
        ]


@contextmanager
def cold(stack: Stack) -> Iterator[list[Row]]:
    with stack.service(NO_CACHE) as service, stack.limit("driver") as driver:
        paths = by_email(_shuffled())
        check_alike(ask(service, paths[0]), ask(driver, paths[0]))
        rate = Figure("requests/s of limit", lambda found: found.per_second, Goal(0.2, 0.4), of_limit=True)
        yield [
            Row("code by e-mail, cold", to(service, paths), [rate], to(driver, paths), "bare ASGI + driver")
        ]


@contextmanager
def random_look_ups(stack: Stack) -> Iterator[list[Row]]:
    """Measure look-ups of 50,000 codes in random order, of which some are in the cache."""
    with stack.service() as service:
        paths = by_email(_shuffled())
        yield tails("random look-up", service, paths)


def tails(name: str, service: Server, paths: Sequence[str], token: str | None = None) -> list[Row]:
    p99 = Figure("p99", lambda found: found.p99, Goal(25, 12, " ms", more=False))
    return [
        Row(f"{name}, 16 connections", to(service, paths, token=token), [p99]),
        Row(f"{name}, 64 connections", to(service, paths, token=token, connections=64)),
    ]


@contextmanager
def with_a_token(stack: Stack) -> Iterator[list[Row]]:
    paths = by_email(HOT)
    with stack.service() as service, stack.service({"CODE_LOOKUP": "authenticated"}) as guarded:
        token, _ = sign_in(guarded, HOT[0])
        more = Figure("CPU of limit", lambda found: found.cpu, Goal(1.15, 1.05, more=False), of_limit=True)
        ours, theirs = to(guarded, paths, token=token), to(service, paths)
        yield [Row("code by e-mail, warm, with a token", ours, [more], theirs, "without a token")]


@contextmanager
def without_valkey(stack: Stack) -> Iterator[list[Row]]:
    """Measure look-ups after Valkey has stopped answering, of codes that no process has in memory."""
    first, later = "p99 more in the first 2 s, ms", "p99 more in the next 3 s, ms"
    goal = Goal(60, 60, " ms", more=False)
    with stack.service() as service:

        def outage(_seconds: float) -> Result:
            before = trickle(service, 2, OTHERS)
            os.kill(stack.valkey.pid, SIGSTOP)
            try:
                at_first, then = trickle(service, 2, OTHERS), trickle(service, 3, OTHERS)
            finally:
                os.kill(stack.valkey.pid, SIGCONT)
            more = {first: at_first.p99 - before.p99, later: then.p99 - before.p99}
            return Result(refused=at_first.errors + then.errors, extras=more)

        figures = [_extra(first, goal), _extra(later, goal)]
        yield [Row("code by e-mail, Valkey frozen", outage, figures)]


def by_email(people: Sequence[int]) -> list[str]:
    return [BY_EMAIL + email(n) for n in people]


def trickle(server: Server, seconds: float, people: range = HOT) -> Result:
    """Send some 200 look-ups a second, which use little of the server: the load of a bystander."""
    return drive(server, by_email(people), seconds, connections=4, pause=20)


def check_alike(ours: bytes, theirs: bytes) -> None:
    """Raise `Refused` if the limit answers something else than the service, but for its address and a cursor."""
    one, other = (re.sub(rb'"http://[^/]+|"next_cursor":"[^"]{58}"', b"", text) for text in (ours, theirs))
    if one != other:
        raise Refused(f"the limit answers something else:\n{one!r}\n{other!r}")


def _shuffled() -> list[int]:
    return random.Random(4).sample(range(CROWD.codes), CROWD.codes)


def _extra(name: str, goal: Goal) -> Figure:
    return Figure(name.partition(",")[0], lambda found: found.extras[name], goal)
