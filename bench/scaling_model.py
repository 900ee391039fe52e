"""Compute the machines that a number of users needs, from costs that were measured: see docs/scaling.md.

    python bench/scaling_model.py

Change the inputs below and run it again. It needs only the standard library.
"""

from dataclasses import dataclass
from math import ceil

SIZES = (10**6, 10**7, 10**8, 10**9)
SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class Call:
    """A kind of request: how often an active user sends it each day, and its CPU time in µs."""

    name: str
    each_day: float
    service: float
    database: float
    writes: bool = False
    audit_events: int = 0
    jobs: int = 0


# Times are those of bench/RESULTS.md (2 cores, AMD EPYC). Create a code, and refresh: see docs/scaling.md.
CALLS = (
    Call("look-up from memory", 2.0, 94, 1),
    Call("look-up from the database", 0.5, 359, 66),
    Call("landing page", 1.0, 109, 1),
    Call("list of referrals", 0.5, 841, 167),
    Call("page of the website", 1.0, 2_400, 350),
    Call("refresh of a session", 2.0, 2_500, 800, writes=True),
    Call("sign-in", 0.1, 24_577, 1_243, writes=True, audit_events=1),
    Call("create a code", 0.02, 3_290, 845, writes=True, audit_events=1),
)
SIGN_UP = Call("sign-up", 1, 24_900, 1_220, writes=True, audit_events=2, jobs=2)
JOB = 25_000
"""µs of CPU of the worker for an e-mail."""


@dataclass(frozen=True)
class Assumptions:
    name: str
    active_each_day: float
    """Share of all users."""
    calls: float
    """How many of the requests of `CALLS` an active user sends, as a multiple."""
    growth_each_year: float
    """New users of a year, as a share of all users."""
    peak: float
    """The busiest minute, as a multiple of the mean."""
    load: float = 0.5
    """Share of a machine that is used at the peak."""
    audit_years: float = 2
    """How long audit events stay in the database."""
    node_cores: int = 8
    database_cores: int = 32
    """Cores of the largest machine that one PostgreSQL has."""
    database_terabytes: float = 8
    """Disk that can be backed up and restored within hours."""
    core_month: float = 25
    """Price in US dollars, with its memory."""
    terabyte_month: float = 120
    """Price of fast disk in US dollars."""
    copies: int = 3
    """A primary, and two standbys."""


ORDINARY = Assumptions("ordinary use", active_each_day=0.05, calls=1, growth_each_year=0.5, peak=4)
HEAVY = Assumptions("heavy use", active_each_day=0.3, calls=2, growth_each_year=2, peak=10)

USER_BYTES = 487 + 443 + 272
"""The rows of a user, a code and a referral with their indexes."""
AUDIT_BYTES, SESSION_BYTES = 486, 337
SESSIONS_EACH = 1.5


@dataclass(frozen=True)
class Fleet:
    requests: float
    service_cores: float
    worker_cores: float
    database_cores: float
    write_cores: float
    writes: float
    terabytes: float
    nodes: int
    shards: int
    dollars: float


def fleet(people: int, given: Assumptions) -> Fleet:
    """Return what the users need at the peak."""
    active = people * given.active_each_day * given.calls
    new = people * given.growth_each_year / 365
    rates = {call: active * call.each_day / SECONDS_A_DAY * given.peak for call in CALLS}
    rates[SIGN_UP] = new / SECONDS_A_DAY * given.peak
    writes = {call: rate for call, rate in rates.items() if call.writes}
    service = sum(call.service * rate for call, rate in rates.items()) / 1e6
    worker = sum(call.jobs * rate for call, rate in rates.items()) * JOB / 1e6
    database = sum(call.database * rate for call, rate in rates.items()) / 1e6
    written = sum(call.database * rate for call, rate in writes.items()) / 1e6
    audited = sum(call.audit_events * rate for call, rate in rates.items()) / given.peak * SECONDS_A_DAY * 365
    size = people * (USER_BYTES + SESSIONS_EACH * SESSION_BYTES) + audited * given.audit_years * AUDIT_BYTES
    terabytes = size / 1e12
    shards = max(
        1,
        ceil(database / given.load / given.database_cores),
        ceil(terabytes / given.database_terabytes),
    )
    nodes = max(2, ceil((service + worker) / given.load / given.node_cores))
    cores_of_databases = max(2 * shards, ceil(database / given.load)) * given.copies
    dollars = (nodes * given.node_cores + cores_of_databases) * given.core_month
    dollars += max(0.1, terabytes) * given.copies * given.terabyte_month
    return Fleet(
        sum(rates.values()), service, worker, database, written, sum(writes.values()),
        terabytes, nodes, shards, dollars,
    )  # fmt: skip


def main() -> None:
    head = ("users", "requests/s", "service cores", "worker cores", "database cores", "of these for writes",
            "writes/s", "TB", "nodes", "primaries", "$/month")  # fmt: skip
    for given in (ORDINARY, HEAVY):
        print(f"\n{given.name}\n\n| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
        for people in SIZES:
            found = fleet(people, given)
            cores = (found.service_cores, found.worker_cores, found.database_cores, found.write_cores)
            counts = (found.nodes, found.shards, round(found.dollars, -2))
            numbers = [f"{people:,}", f"{found.requests:,.0f}", *(f"{one:,.2f}" for one in cores)]
            numbers += [f"{found.writes:,.0f}", f"{found.terabytes:,.3f}", *(f"{one:,.0f}" for one in counts)]
            print("| " + " | ".join(numbers) + " |")


if __name__ == "__main__":
    main()
