"""The primary is lost or replaced under load: the service goes on, and nothing acknowledged is lost.

With asynchronous replication a failover loses what the new primary had not received; it is counted.
"""

import os
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

import pytest

from ha.cluster import Cluster, until
from ha.load import History, running_load

SOME = 5
"""Writes that show that a route works."""
WITHOUT_ETCD_SECONDS = 25
"""More than the lease of the primary lasts."""


class Case(NamedTuple):
    break_it: Callable[[Cluster, str], None]
    """With the name of the primary."""
    mend: Callable[[Cluster, str], None]
    moves: bool = True
    """Whether another node becomes the primary."""


def kill_postgres(cluster: Cluster, name: str) -> None:
    os.kill(cluster.nodes[name].postmaster(), signal.SIGKILL)


def kill_etcd(cluster: Cluster, _name: str) -> None:
    for member in cluster.etcd:
        member.kill()
    time.sleep(WITHOUT_ETCD_SECONDS)


def start_etcd(cluster: Cluster, _name: str) -> None:
    for member in cluster.etcd:
        member.start()


def cut_off(cluster: Cluster, name: str, *, is_cut: bool = True) -> None:
    """Cut the primary off from etcd and the other nodes. Clients still reach it."""
    primary = cluster.nodes[name]
    for link in (*primary.etcd_links, primary.link, *(node.api_link for node in cluster.nodes.values())):
        link.cut(is_cut)


def nothing(_cluster: Cluster, _name: str) -> None:
    pass


CASES = {
    "switchover": Case(lambda cluster, _name: cluster.switch_over(), nothing),
    "killed": Case(
        lambda cluster, name: cluster.nodes[name].kill(), lambda cluster, name: cluster.nodes[name].start()
    ),
    "frozen": Case(
        lambda cluster, name: cluster.nodes[name].send(signal.SIGSTOP),
        lambda cluster, name: cluster.nodes[name].send(signal.SIGCONT),
    ),
    "cut off": Case(cut_off, lambda cluster, name: cut_off(cluster, name, is_cut=False)),
    "PostgreSQL killed": Case(kill_postgres, nothing, moves=False),
    "etcd killed": Case(kill_etcd, start_etcd, moves=False),
}


def until_all_write(histories: dict[str, History]) -> None:
    since = time.monotonic()
    until(
        lambda: all(len(history.written(since)) >= SOME for history in histories.values()),
        "writes by each route",
    )


def lost(cluster: Cluster, history: History) -> int:
    """Return how many acknowledged users and codes the primary does not have."""
    users = {str(row[0]) for row in cluster.query("SELECT id FROM users", "goodword")}
    codes = {row[0] for row in cluster.query("SELECT code FROM referral_codes", "goodword")}
    return len(set(history.users) - users) + len(set(history.codes) - codes)


def inflict(name: str, cluster: Cluster, urls: dict[str, str], table: list[str], *, synchronous: bool) -> int:
    """Run a case, fill the table, and return how many acknowledged writes were lost."""
    cluster.set_synchronous(synchronous)
    cluster.until_whole(synchronous=synchronous)
    case, primary = CASES[name], cluster.leader()
    with running_load(urls) as histories:
        until_all_write(histories)
        case.break_it(cluster, primary)
        if case.moves:
            cluster.leader(unless=primary)
        until_all_write(histories)
        case.mend(cluster, primary)
        cluster.until_whole(synchronous=synchronous)
        until_all_write(histories)
    total = 0
    for route, history in histories.items():
        total += (number := lost(cluster, history))
        replication = "synchronous" if synchronous else "asynchronous"
        table.append(
            f"| {name} | {replication} | {route} | {history.pause():.1f} s | {len(history.written())} | {number} "
            f"| {history.unavailable()} | {history.errors()} |"
        )
        if synchronous:
            assert history.surprises == []
            assert 500 not in {attempt.status for attempt in history.attempts}
    return total


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_lost_with_synchronous_replication(name, cluster, urls, table):
    assert inflict(name, cluster, urls, table, synchronous=True) == 0


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.moves])
def test_the_service_goes_on_with_asynchronous_replication(name, cluster, urls, table):
    inflict(name, cluster, urls, table, synchronous=False)


def test_the_worker_has_run_all_jobs(cluster, urls):
    """After the failovers above."""
    unfinished = "SELECT 1 FROM jobs WHERE finished_at IS NULL AND run_at < now() LIMIT 1"

    until(lambda: not cluster.query(unfinished, "goodword"), "all jobs finished")
    assert cluster.query("SELECT kind FROM jobs WHERE outcome = 'dead'", "goodword") == []
