"""Measure the service against the limits of this very machine: see README.md beside this file."""

import argparse
import asyncio
import itertools
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from tempfile import TemporaryDirectory

import machine
import pages
import serving
import table
import wrk
from seed import PASSWORD, Crowd, code, email, fill, joiners
from stack import CAN_DO_WITHOUT_CACHE, CHEAP, WORKERS, Refused, Server, Stack, ask, no_cache, sign_in, stack
from table import NEVER, Goal
from wrk import Figures, Measure, drive

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
CROWD = Crowd(people=100_000, stars=(1_000, 100_000))
THOUSAND, HUNDRED_THOUSAND = 0, 1  # the persons who brought so many
HOT = range(2, 1_002)
OTHERS = range(1_002, CROWD.codes)
BY_EMAIL = "/api/v1/referral-codes/by-email?email="
BY_STRING = "/api/v1/referral-codes/"


class Benchmark:
    """Collects the rows; each method measures one part of the table."""

    def __init__(self, stack: Stack, *, seconds: float, rounds: int) -> None:
        self.stack, self.seconds, self.rounds = stack, seconds, rounds
        self.rows: list[list[str]] = []
        self.chance = random.Random(4)

    def add(
        self,
        what: str,
        found: Figures | None,
        of: str,
        value: float | None,
        goal: Goal,
        *,
        limit: Figures | None = None,
    ) -> None:
        self.rows.append(table.line(what, found, of, value, goal, limit))
        print(*self.rows[-1], sep=" | ", file=sys.stderr, flush=True)

    def against(
        self,
        what: str,
        subject: Measure,
        of: str,
        limit: Measure,
        goal: Goal,
        *,
        by: Callable[[Figures], float] = lambda found: found.per_second,
        seconds: float = 0,
    ) -> None:
        """Subject and limit in turn; the figure is the median of the ratios of neighbours in time."""
        found = wrk.in_turn([subject, limit], rounds=self.rounds, seconds=seconds or self.seconds)
        ratio = statistics.median(by(ours) / by(theirs) for ours, theirs in zip(*found, strict=True))
        ours, theirs = wrk.middle(found[0]), wrk.middle(found[1])
        self.add(what, ours, of, ratio, goal, limit=theirs)
        self.add(f"· {of}", theirs, "", None, NEVER)

    def warm(self, service: Server) -> None:
        """The hottest reads. Nothing can be faster in this framework than a route that does nothing."""
        goal = Goal(0.75, 0.90)
        fixed = "bare FastAPI route, same bytes"
        many = [BY_EMAIL + email(n) for n in HOT]
        with self.limit_of(service, "fixed", many[0]) as limit:
            for what, paths in (("1,000 codes", many), ("one code", many[:1])):
                self.against(
                    f"code by e-mail, warm, {what}", to(service, paths), fixed, to(limit, paths), goal
                )
        paths = [BY_STRING + code(n) for n in HOT]
        with self.limit_of(service, "fixed", paths[0]) as limit:
            self.against("code by string, warm", to(service, paths), fixed, to(limit, paths), goal)
        with self.limit_of(service, "constant", many[0]) as limit:
            found = wrk.middle(wrk.in_turn([to(limit, many)], rounds=1, seconds=2)[0])
            self.add("· bare ASGI, same bytes", found, "", None, NEVER)

    def limit_of(self, service: Server, name: str, path: str) -> AbstractContextManager[Server]:
        return self.stack.limit(name, ask(service, path))

    def cold(self, driver: Server) -> None:
        with self.stack.service(no_cache()) as service:
            paths = [BY_EMAIL + email(n) for n in self.chance.sample(range(CROWD.codes), CROWD.codes)]
            check_alike(ask(service, paths[0]), ask(driver, paths[0]))
            limit = to(driver, paths)
            goal = Goal(0.20, 0.40)
            self.against("code by e-mail, cold", to(service, paths), "bare ASGI + driver", limit, goal)

    def pages(self, service: Server, driver: Server) -> None:
        token, path = sign_in(service, THOUSAND)
        check_alike(ask(service, path, token=token), ask(driver, path))
        ours, theirs = to(service, [path], token=token), to(driver, [path])
        self.against("referrals, first 50", ours, "bare ASGI + driver", theirs, Goal(0.30, 0.50))

        token, path = sign_in(service, HUNDRED_THOUSAND)
        first, last = path, last_page(service, path, token)
        pair = [to(service, [page], token=token, connections=2) for page in (last, first)]
        goal = Goal(1.3, 1.1, more=False)
        self.against(
            "last page of 100,000", pair[0], "first page, p50", pair[1], goal, by=lambda found: found.p50
        )

    def token(self, service: Server) -> None:
        paths = [BY_EMAIL + email(n) for n in HOT]
        with self.stack.service({"CODE_LOOKUP": "authenticated"}) as guarded:
            token, _ = sign_in(guarded, HOT[0])
            self.against(
                "code by e-mail, warm, with a token",
                to(guarded, paths, token=token),
                "without a token, CPU",
                to(service, paths),
                Goal(1.15, 1.05, more=False),
                by=lambda found: found.service_cpu + found.database_cpu,
            )

    def pages_of_people(self, service: Server) -> None:
        for visit in pages.visits(service, HOT[0], THOUSAND):
            self.against(
                f"page: {visit.name}",
                *_with_its_calls(service, visit),
                Goal(2, 1.5, more=False),
                by=lambda found: found.service_cpu + found.database_cpu,
            )
            goal = Goal(pages.HEAVIEST, pages.HEAVIEST / 2, " KiB", more=False)
            self.add(f"page: {visit.name}", None, "weight, all told", pages.weight(service, visit), goal)

    def sign_ins(self) -> list[str]:
        """Of many people: no rule about one of them matters."""
        people = self.chance.sample(range(CROWD.people), 10_000)
        return ["/api/v1/sessions\t" + json.dumps({"email": email(n), "password": PASSWORD}) for n in people]

    def sign_in(self, service: Server) -> None:
        lines, goal = self.sign_ins(), Goal(0.90, 0.97)
        self.against(
            "sign-in", to(service, lines), "hashing alone", hashing, goal, seconds=max(self.seconds, 15)
        )
        with ThreadPoolExecutor() as pool:
            busy = pool.submit(drive, service, lines, self.seconds + 1)
            time.sleep(0.5)
            found = trickle(service, self.seconds)
            busy.result()
        found = replace(found, service_cpu=0, database_cpu=0)  # most of it went to the sign-ins
        goal = Goal(100, 50, " ms", more=False)
        self.add("code by e-mail while people sign in", found, "p99", found.p99, goal)

    def memory(self, service: Server) -> None:
        rss, pss = zip(*(machine.memory(pid) for pid in service.workers), strict=True)
        goal = Goal(130, 100, " MiB", more=False)
        of = f"RSS (PSS {max(pss):.0f})"
        self.add("memory of a worker, after all of the above", None, of, max(rss), goal)

    def memory_of_many(self) -> None:
        """More than that: what 500 sign-ins at once add to a worker that has only answered look-ups before."""
        with self.stack.service() as service:
            trickle(service, 2)
            before = {pid: machine.memory(pid)[0] for pid in service.workers}
            for pid in service.workers:
                machine.forget_peak(pid)
            found = drive(service, self.sign_ins(), self.seconds, connections=500)
            more = max(machine.peak(pid) - before[pid] for pid in service.workers)
        goal = Goal(64, 32, " MiB", more=False)
        self.add("500 sign-ins at once (errors: told to wait)", found, "memory more a worker", more, goal)

    def outage(self, service: Server) -> None:
        """Valkey stops answering, without closing anything. Asked for is what no process remembers itself."""
        before = trickle(service, 2, OTHERS)
        os.kill(self.stack.valkey.pid, SIGSTOP)
        try:
            at_first, later = trickle(service, 2, OTHERS), trickle(service, 3, OTHERS)
        finally:
            os.kill(self.stack.valkey.pid, SIGCONT)
        goal = Goal(60, 60, " ms", more=False)
        self.add(
            "code by e-mail, Valkey out: first 2 s", at_first, "p99 more", at_first.p99 - before.p99, goal
        )
        self.add("code by e-mail, Valkey out: next 3 s", later, "p99 more", later.p99 - before.p99, goal)

    def sign_up(self) -> None:
        tags = itertools.count()

        def joining(service: Server, connections: int = 16) -> Measure:
            def measure(seconds: float) -> Figures:
                tag = next(tags)
                codes = [2 + (tag * 7919 + n) % (CROWD.codes - 2) for n in range(20_000)]
                return drive(service, joiners(tag, codes), seconds, connections=connections)

            return measure

        def limit(seconds: float) -> Figures:
            return wrk.pgbench(self.stack, self.stack.postgres.url, CROWD.codes, seconds)

        with self.stack.service(CHEAP) as service:
            goal = Goal(0.30, 0.50)
            self.against(
                "sign-up with a code, cheap hash", joining(service), "pgbench, same statements", limit, goal
            )
            with socket.create_server(
                ("127.0.0.1", 0), backlog=128
            ) as silent:  # it takes calls and says nothing
                hanging = CHEAP | {
                    "EMAIL_CHECK": "async",
                    "HUNTER_API_KEY": "anything",
                    "HUNTER_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
                }
                with self.stack.service(hanging) as asking, self.stack.worker(hanging):
                    self.against(
                        "sign-up with a code, Hunter hangs",
                        joining(asking, 2),
                        "no Hunter, p99",
                        joining(service, 2),
                        Goal(1.10, 1.10, more=False),
                        by=lambda found: found.p99,
                    )

    def start(self) -> None:
        """The embedded database is there and current. Ready is when `/readyz` says so."""
        folder = self.stack.folder / "start"
        folder.mkdir()
        with serving.serving(folder):
            pass
        times = []
        for _ in range(3):
            began = time.monotonic()
            with serving.serving(folder):
                times.append(time.monotonic() - began)
        self.add(
            "start on SQLite", None, "until ready", statistics.median(times), Goal(2, 1.2, " s", more=False)
        )


def _with_its_calls(service: Server, visit: pages.Visit) -> tuple[Measure, str, Measure]:
    page, api = pages.both(service, visit)
    return page, f"CPU of its calls of the API ({len(visit.calls)})", api


def to(server: Server, requests: list[str], *, token: str | None = None, connections: int = 16) -> Measure:
    return lambda seconds: drive(server, requests, seconds, token=token, connections=connections)


def trickle(server: Server, seconds: float, people: range = HOT) -> Figures:
    """Some 200 look-ups a second, which ask little of the server: what a bystander sees."""
    return drive(server, [BY_EMAIL + email(n) for n in people], seconds, connections=4, pause=20)


def check_alike(ours: bytes, theirs: bytes) -> None:
    """A limit is one only if it answers the same: all but the address of the server, and a cursor as long."""
    one, other = (re.sub(rb'"http://[^/]+|"next_cursor":"[^"]{58}"', b"", text) for text in (ours, theirs))
    if one != other:
        raise Refused(f"the limit answers something else:\n{one!r}\n{other!r}")


def last_page(service: Server, path: str, token: str) -> str:
    """Walk to the end, by hundreds, as anybody would have to."""
    page = following = f"{path}?limit=100"
    while True:
        cursor = json.loads(ask(service, following, token=token))["next_cursor"]
        if cursor is None:
            return page.replace("limit=100", "limit=50")
        page, following = following, f"{path}?limit=100&cursor={cursor}"


def hashing(seconds: float) -> Figures:
    """As many processes, and threads in each, as the service hashes in."""
    threads = len(os.sched_getaffinity(0))
    command = [sys.executable, str(HERE / "password_hashing.py"), str(WORKERS), str(threads), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rate, cpu = map(float, done.stdout.split())
    return Figures(rate, service_cpu=cpu)


def measure(benchmark: Benchmark, *, only: str | None) -> None:
    """The whole table, part by part, or one part of it."""
    stack = benchmark.stack
    if only == "pages":
        with stack.service() as service:
            benchmark.pages_of_people(service)
        return
    with stack.service() as service:
        benchmark.warm(service)
        with stack.limit("driver") as driver:
            benchmark.cold(driver)
            benchmark.pages(service, driver)
        benchmark.pages_of_people(service)
        benchmark.token(service)
        benchmark.outage(service)
        benchmark.sign_in(service)
        benchmark.memory(service)
    benchmark.memory_of_many()
    benchmark.sign_up()
    benchmark.start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6, help="how long each thing is measured")
    parser.add_argument("--rounds", type=int, default=3, help="in how many turns")
    parser.add_argument("--only", choices=["pages"], help="one part of the table")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file that gets the table")
    given = parser.parse_args()
    wrk.require()
    began, described, load = time.monotonic(), machine.described(), machine.load()
    with TemporaryDirectory(prefix="goodword-bench-") as folder, stack(Path(folder)) as all_of_it:
        all_of_it.migrate()
        asyncio.run(fill(all_of_it.postgres.url, CROWD))
        benchmark = Benchmark(all_of_it, seconds=given.seconds, rounds=given.rounds)
        measure(benchmark, only=given.only)
    text = "\n".join(
        [
            "# Results of `make bench`\n",
            f"{described}.",
            f"Load average before {load}, after {machine.load()}.",
            f"{given.seconds:g} s for each figure, in {given.rounds} turns; {time.monotonic() - began:.0f} s in all.",
            f"Cache of look-ups: {'can be switched off' if CAN_DO_WITHOUT_CACHE else 'not there yet'}.\n",
            table.render(benchmark.rows),
        ]
    )
    print(text)
    given.results.write_text(text + "\n")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
