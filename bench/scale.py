"""Measure how responses slow down as the number of users grows: the same requests on databases of several sizes."""

import argparse
import asyncio
import itertools
import random
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg

import machine
import table
import wrk
from client import sign_in
from parts.browser_pages import sign_in_by_form
from pgbench import pgbench
from row import Goal, Measure, Result, in_turn, middle
from seed import BY_EMAIL, BY_STRING, Crowd, code, dsn, email, fill, joiners
from stack import CHEAP, NO_CACHE, Server, Stack, stack
from wrk import drive

RESULTS = Path(__file__).with_name("RESULTS-scale.md")
BYTES_EACH = 2_500
"""Of disk for a person, with all their rows, indexes and what is written about them in the log."""
GOAL = Goal(1.3, 1.1, more=False)
STAR = 0
ADMIN_PAGES = {
    "overview": "/admin",
    "people": "/admin/users",
    "people by name": "/admin/users?sort=name",
    "people, part of an address": "/admin/users?q=rson77",
    "people, no match": "/admin/users?q=nothing",
    "referrals": "/admin/referrals",
    "referrals by code": "/admin/referrals?sort=code",
    "codes that expire": "/admin/codes?status=ending",
    "audit log": "/admin/audit",
    "tree of 1,000 referrals": "/admin/users/{id}/tree",
}
"""Their paths. The administrator is the user `STAR`."""


def crowd_of(people: int) -> Crowd:
    return Crowd(people, stars=(1_000, 0))


def measures(server: Server, people: int) -> dict[str, Measure]:
    """Return each kind of read, and the sign-up, by name. One client, so that no request waits for another."""
    chance = random.Random(people)
    some = [chance.randrange(2, crowd_of(people).codes) for _ in range(20_000)]
    token, referrals = sign_in(server, STAR)
    cookie = sign_in_by_form(server, STAR)
    tags = itertools.count()

    def read(*paths: str, token: str | None = None) -> Measure:
        return lambda seconds: drive(server, paths, seconds, token=token, connections=1)

    def sign_up(seconds: float) -> Result:
        tag = next(tags)
        return drive(server, joiners(tag, some), seconds, connections=1)

    def read_page(path: str) -> Measure:
        found = [path.format(id=referrals.split("/")[-2])]
        return lambda seconds: drive(server, found, seconds, cookie=cookie, connections=1)

    api = {
        "code by e-mail": read(*(BY_EMAIL + email(n) for n in some)),
        "code by string": read(*(BY_STRING + code(n) for n in some)),
        "own account": read("/api/v1/me", token=token),
        "own codes": read("/api/v1/me/referral-codes", token=token),
        "own sessions": read("/api/v1/me/sessions", token=token),
        "referrals, first 50 of 1,000": read(referrals, token=token),
        "figures of 1,000 referrals": read(referrals.replace("referrals", "referral-stats"), token=token),
        "sign-up with a code": sign_up,
    }
    return api | {f"administrators: {what}": read_page(path) for what, path in ADMIN_PAGES.items()}


def statements(stack: Stack, url: str, people: int) -> Measure:
    """Return what measures the statements of a sign-up alone: the growth of the database itself."""

    def measure(seconds: float) -> Result:
        found = pgbench(stack, "signup", crowd_of(people).codes, seconds, url=url, clients=1)
        return replace(found, p50=1000 / found.per_second)

    return measure


async def create(stack: Stack, people: int) -> str:
    """Create a filled database of this size, and return its URL."""
    name = f"people_{people}"
    connection = await asyncpg.connect(dsn(stack.postgres.url))
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    url = stack.postgres.url.rpartition("/")[0] + f"/{name}"
    stack.migrate({"DATABASE_URL": url})
    await fill(url, crowd_of(people))
    return url


def databases(stack: Stack, sizes: list[int], say: Callable[[str], None]) -> dict[int, str]:
    made = {}
    for people in sizes:
        free = shutil.disk_usage(stack.folder).free
        if free < people * BYTES_EACH:
            say(f"- {people:,} people: skipped, {free / 1e9:.0f} GB of disk are free and it may take "
                f"{people * BYTES_EACH / 1e9:.0f} GB")  # fmt: skip
            continue
        began = time.monotonic()
        made[people] = asyncio.run(create(stack, people))
        say(f"- {people:,} people: filled in {time.monotonic() - began:.0f} s")
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = [10**4, 10**5, 10**6, 10**7]
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=sizes, help="how many people, the fewest first"
    )
    parser.add_argument("--seconds", type=float, default=6, help="how long each thing is measured")
    parser.add_argument("--rounds", type=int, default=3, help="in how many turns")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file that gets the table")
    given = parser.parse_args()
    wrk.require()
    notes: list[str] = []

    def say(note: str) -> None:
        notes.append(note)
        print(note, file=sys.stderr, flush=True)

    described, load = machine.described(), machine.load()
    with ExitStack() as open_things:
        folder = Path(open_things.enter_context(TemporaryDirectory(prefix="goodword-bench-")))
        all_of_it = open_things.enter_context(stack(folder))
        made = databases(all_of_it, given.sizes, say)
        # Hashing is cheap here: what grows is not the hash. And no cache hides the database.
        asked = {}
        for people, url in made.items():
            service = all_of_it.service(CHEAP | NO_CACHE | {"DATABASE_URL": url}, workers=1)
            asked[people] = measures(open_things.enter_context(service), people)
            asked[people]["· pgbench, its statements (mean)"] = statements(all_of_it, url, people)
        rows = []
        for what in next(iter(asked.values())):
            wanted = [asked[people][what] for people in made]
            results = in_turn(wanted, rounds=given.rounds, seconds=given.seconds)
            found = [middle(one) for one in results]
            ratio = found[-1].p50 / found[0].p50
            rows.append([
                what, *(f"{one.p50:.2f}" for one in found), str(sum(one.errors for one in found)),
                GOAL.shown(ratio), *GOAL.bounds, GOAL.reached(ratio),
            ])  # fmt: skip
            print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    head = ["p50 in ms, one client", *(f"{people:,}" for people in made), "errors"]
    head += ["most / fewest", "least", "aim", "reached"]
    text = "\n".join(
        [
            "# Results of `make bench-scale`\n",
            f"{described}.",
            f"Load average before {load}, after {machine.load()}; {given.seconds:g} s for each figure.\n",
            *notes,
            "",
            table.render(rows, head),
        ]
    )
    print(text)
    given.results.write_text(text + "\n")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
