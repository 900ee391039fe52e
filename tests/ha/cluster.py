"""Three etcd members and three Patroni nodes on loopback, from the files of deploy/ha."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen

import asyncpg

from fault_proxy import FaultProxy
from proxy_servers import replaced
from raw_http import family
from servers import POSTGRES_USER, tied
from serving import free_port

NAMES = ("db1", "db2", "db3")
PATIENCE = 180
"""Seconds for a step on a busy machine."""
PASSWORD = "its-password"
PASSWORDS = {f"PATRONI_{user}_PASSWORD": PASSWORD for user in ("SUPERUSER", "REPLICATION", "REWIND")}


def until(condition: Callable[[], Any], what: str) -> Any:
    """Return the first true result of the condition."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            if found := condition():
                return found
        time.sleep(0.1)
    raise AssertionError(f"not within {PATIENCE} s: {what}")


def start(
    command: list[str | Path], log: Path, stop: signal.Signals, **variables: str
) -> subprocess.Popen[bytes]:
    assert shutil.which(command[0]), f"these tests need Debian's {command[0]}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PATRONI_", "PYTHON"))}
    with log.open("ab") as output:
        return subprocess.Popen(
            tied(command, stop, POSTGRES_USER),
            cwd=log.parent,
            env=kept | variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


class Member:
    """A member of etcd."""

    def __init__(self, folder: Path, name: str, clients: dict[str, int], peers: dict[str, int]) -> None:
        self.log, self.config, self.port = (
            folder / f"etcd-{name}.log",
            folder / f"etcd-{name}.yml",
            clients[name],
        )
        self.config.write_text(
            replaced(
                "ha/etcd.yml",
                ("name: db1", f"name: {name}"),
                ("/var/lib/etcd/goodword", str(folder / f"etcd-{name}")),
                ("0.0.0.0:2379", f"127.0.0.1:{clients[name]}"),
                ("0.0.0.0:2380", f"127.0.0.1:{peers[name]}"),
                ("client-urls: http://db1:2379", f"client-urls: http://127.0.0.1:{clients[name]}"),
                ("peer-urls: http://db1:2380", f"peer-urls: http://127.0.0.1:{peers[name]}"),
                *((f"{one}=http://{one}:2380", f"{one}=http://127.0.0.1:{peers[one]}") for one in NAMES),
            )
        )
        self.start()

    def start(self) -> None:
        self.process = start(["etcd", "--config-file", self.config], self.log, signal.SIGKILL)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def is_ready(self) -> bool:
        """Return whether the members have elected a leader: Patroni ends if it starts before."""
        with urlopen(f"http://127.0.0.1:{self.port}/version", timeout=5) as answer:
            return bool(json.loads(answer.read())["etcdcluster"] != "not_decided")


class Node:
    """Patroni and its PostgreSQL. The others reach it, and it reaches etcd, over links that can be cut."""

    def __init__(self, folder: Path, name: str, etcd: list[Member]) -> None:
        self.name, self.data, self.log = name, folder / name, folder / f"{name}.log"
        self.port, self.api_port = free_port(), free_port()
        self.etcd_links = [FaultProxy(member.port) for member in etcd]
        self.link, self.api_link = FaultProxy(self.port), FaultProxy(self.api_port)
        self.config = folder / f"{name}.yml"
        etcd_hosts = ",".join(f"127.0.0.1:{link.port}" for link in self.etcd_links)
        self.config.write_text(
            replaced(
                "ha/patroni.yml",
                ("name: db1", f"name: {name}"),
                ("0.0.0.0:8008", f"127.0.0.1:{self.api_port}"),
                ("0.0.0.0:5432", f"127.0.0.1:{self.port}"),
                ("connect_address: db1:8008", f"connect_address: 127.0.0.1:{self.api_link.port}"),
                ("connect_address: db1:5432", f"connect_address: 127.0.0.1:{self.link.port}"),
                ("hosts: db1:2379,db2:2379,db3:2379", f"use_proxies: true\n  hosts: {etcd_hosts}"),
                ("/var/lib/postgresql/15/goodword", str(self.data)),
                ("/var/lib/postgresql/.pgpass-goodword", str(folder / f"{name}.pgpass")),
                ("/var/run/postgresql", str(folder)),
                ("mode: automatic", "mode: 'off'"),  # it would restart this machine
            )
        )
        self.start()

    def start(self) -> None:
        self.process = start(["patroni", self.config], self.log, signal.SIGTERM, **PASSWORDS)

    def postmaster(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def send(self, number: signal.Signals) -> None:
        """Signal all processes, as far as they exist."""
        found = family(self.process.pid)
        with suppress(OSError):
            found += family(self.postmaster())
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """End all processes at once, like the machine."""
        self.send(signal.SIGSTOP)  # none can start another meanwhile
        self.send(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End Patroni, so that it starts nothing, and then PostgreSQL, which leaves no shared memory behind."""
        self.process.kill()
        self.process.wait()
        with suppress(OSError):
            postmaster = self.postmaster()
            os.kill(postmaster, signal.SIGCONT)
            os.kill(postmaster, signal.SIGQUIT)
            until(lambda: not family(postmaster), "the end of PostgreSQL")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        content = json.dumps(body).encode() if body is not None else None
        request = Request(f"http://127.0.0.1:{self.api_port}{path}", content, method=method)
        with urlopen(request, timeout=5) as answer:
            return json.loads(answer.read())


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        clients, peers = ({name: free_port() for name in NAMES} for _ in range(2))
        self.etcd = [Member(folder, name, clients, peers) for name in NAMES]
        for member in self.etcd:
            until(member.is_ready, "a leader of etcd")
        self.nodes = {name: Node(folder, name, self.etcd) for name in NAMES}

    def stop(self) -> None:
        for node in self.nodes.values():
            node.stop()
        for member in self.etcd:
            member.kill()

    def roles(self, *, unless: str = "") -> dict[str, str]:
        """Return the role by name of the nodes that run, by the word of a node other than `unless`."""
        for name, node in self.nodes.items():
            if name != unless:
                with suppress(OSError):
                    members = node.ask("GET", "/cluster")["members"]
                    return {
                        one["name"]: one["role"]
                        for one in members
                        if one["state"] in {"running", "streaming"}
                    }
        return {}

    def leader(self, *, unless: str = "") -> str:
        """Return the name of the primary, and wait for another than `unless`."""

        def find() -> str | None:
            found = [name for name, role in self.roles(unless=unless).items() if role == "leader"]
            return found[0] if found and found[0] != unless else None

        return str(until(find, "a primary"))

    def until_whole(self, *, synchronous: bool) -> None:
        """Wait until both standbys receive from the primary, and one of them synchronously."""

        streaming = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming' ORDER BY 1"
        wanted = ["async", "sync" if synchronous else "async"], "sync_standby" if synchronous else "replica"

        def is_whole() -> bool:
            states = [row[0] for row in self.query(streaming)]
            return (states, sorted(self.roles().values())) == (wanted[0], ["leader", "replica", wanted[1]])

        try:
            until(is_whole, "a primary with two standbys")
        except AssertionError as error:
            error.add_note(f"{self.roles()}\n{self.logs()}")
            raise

    def logs(self) -> str:
        """Return the last lines of each node."""
        return "\n".join(
            "\n".join([f"--- {name}", *node.log.read_text().splitlines()[-30:]])
            for name, node in self.nodes.items()
        )

    def set_synchronous(self, synchronous: bool) -> None:
        self.nodes[self.leader()].ask("PATCH", "/config", {"synchronous_mode": synchronous})

    def query(self, query: str, database: str = "postgres") -> list[Any]:
        """Return the rows of a query of the primary, as the superuser."""

        async def run() -> list[Any]:
            port = self.nodes[self.leader()].port
            connection = await asyncpg.connect(
                host="127.0.0.1", port=port, user="postgres", password=PASSWORD, database=database, timeout=10
            )
            try:
                return list(await connection.fetch(query))
            finally:
                await connection.close()

        return asyncio.run(run())

    def switch_over(self) -> None:
        """Make another node the primary, as an operator does."""
        leader = self.leader()
        done = subprocess.run(
            [
                "patronictl",
                "-c",
                self.nodes[leader].config,
                "switchover",
                "goodword",
                "--leader",
                leader,
                "--force",
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Run a cluster with an empty database `goodword`, and stop it at the end of the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="goodword-ha-")))
        if POSTGRES_USER:
            os.chown(folder, POSTGRES_USER.pw_uid, POSTGRES_USER.pw_gid)
        cluster = Cluster(folder)
        stack.callback(cluster.stop)
        cluster.until_whole(synchronous=True)
        cluster.query(f"CREATE ROLE goodword LOGIN PASSWORD '{PASSWORD}'")
        cluster.query("CREATE DATABASE goodword OWNER goodword TEMPLATE template0")
        yield cluster
