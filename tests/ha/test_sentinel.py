"""The primary of the cache is lost: no request fails, and the cache is used again after the failover."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis
from redis.exceptions import RedisError

from ha.cluster import PASSWORD, until
from ha.routes import settings_of
from proxy_servers import replaced
from servers import tied, valkey_program
from serving import free_port, serving

PLACES = ("10.0.0.1", "10.0.0.2", "10.0.0.3")


@dataclass
class Group:
    """Three servers and three Sentinels."""

    servers: dict[int, subprocess.Popen[bytes]]
    sentinels: list[int]

    def primary(self) -> int:
        """Return the port of the primary, by the word of the first Sentinel that answers."""
        with connected(self.sentinels[0]) as sentinel:
            return int(sentinel.sentinel_get_master_addr_by_name("goodword")[1])

    def is_whole(self) -> bool:
        with connected(self.primary()) as primary:
            replicas = primary.info("replication")["connected_slaves"]
        with connected(self.sentinels[0]) as sentinel:
            return bool(replicas == 2 and len(sentinel.sentinel_sentinels("goodword")) == 2)

    def keys(self) -> set[bytes]:
        """Return the cached look-ups in the primary."""
        with connected(self.primary()) as primary:
            return set(primary.keys("goodword:answer:*"))


def connected(port: int) -> Redis:
    return Redis(port=port, password=PASSWORD, socket_timeout=1)


@contextmanager
def running(folder: Path, *command: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            tied([valkey_program(), *command], signal.SIGKILL, None), cwd=folder, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def group(tmp_path) -> Iterator[Group]:
    servers, sentinels = [free_port() for _ in PLACES], [free_port() for _ in PLACES]
    with ExitStack() as stack:

        def start(name: str, port: int, text: str, *options: str) -> subprocess.Popen[bytes]:
            folder = tmp_path / f"{name}-{port}"
            folder.mkdir()
            (folder / "conf").write_text(text)
            return stack.enter_context(running(folder, folder / "conf", *options))

        processes = {}
        for port in servers:
            text = replaced(
                "ha/valkey.conf", ("bind 0.0.0.0", "bind 127.0.0.1"), ("port 6379", f"port {port}")
            )
            text += f"replicaof 127.0.0.1 {servers[0]}\n" if port != servers[0] else ""
            processes[port] = start("server", port, text)
        for port in sentinels:
            text = replaced(
                "ha/sentinel.conf",
                ("bind 0.0.0.0", "bind 127.0.0.1"),
                ("port 26379", f"port {port}"),
                ("goodword 10.0.0.1 6379", f"goodword 127.0.0.1 {servers[0]}"),
            )
            start("sentinel", port, text, "--sentinel")
        found = Group(processes, sentinels)
        until(lambda: is_true(found.is_whole), "a primary with two replicas and three Sentinels")
        yield found


def is_true(condition) -> bool:
    with suppress(RedisError):
        return condition()
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_no_request_fails_and_the_cache_is_used_again(number, group, tmp_path):
    changes = [
        (f"{place}:26379", f"127.0.0.1:{port}") for place, port in zip(PLACES, group.sentinels, strict=True)
    ]
    settings = settings_of("Sentinel", *changes)
    statuses = set()

    def is_used() -> bool:
        """Look up a code that does not exist, and return whether the answer was stored in the cache."""
        before = None
        with suppress(RedisError):
            before = group.keys()
        connection = HTTPConnection(urlsplit(service.url).netloc, timeout=30)
        connection.request("GET", f"/api/v1/referral-codes/UNKNOWN-{time.monotonic_ns()}")
        statuses.add(connection.getresponse().status)
        connection.close()
        return before is not None and is_true(lambda: bool(group.keys() - before))

    with serving(tmp_path, RATE_LIMITS="off", **settings) as service:
        until(is_used, "use of the cache")
        primary = group.primary()
        os.kill(group.servers[primary].pid, number)
        until(lambda: is_used() and group.primary() != primary, "use of the cache after the failover")

    assert statuses == {404}
