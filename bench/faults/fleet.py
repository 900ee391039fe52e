"""A fleet on loopback: two nodes behind HAProxy, two workers, PostgreSQL behind a fault proxy, and Valkey."""

import fcntl
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import servers
import serving
from fault_proxy import FaultProxy
from preloaded import Process
from proxy_servers import haproxy, proxy_process
from raw_http import family

PATIENCE = 90
"""Seconds for a start on a busy machine."""
DISK = "4g"
PIPE_BYTES = 4096
"""Of logs that wait for their reader."""


class Part:
    """A process of the fleet, which can be killed, frozen and started again in place."""

    def __init__(self, pid: int, start: Callable[[], Any], stop: signal.Signals = signal.SIGKILL) -> None:
        self.pid, self._start, self._stop = pid, start, stop
        self._process: Any = None

    def send(self, number: signal.Signals) -> None:
        for pid in family(self.pid):
            os.kill(pid, number)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal the process, and wait until it and its children have ended."""
        found = family(self.pid)
        os.kill(self.pid, number)
        while any(_runs(pid) for pid in found):
            time.sleep(0.02)
        if self._process is not None:
            self._process.wait(timeout=PATIENCE)
        else:
            os.waitpid(self.pid, 0)  # PostgreSQL takes the process of its lock file to run until then

    def start(self) -> None:
        self._process = self._start()
        self.pid = self._process.pid

    def runs(self) -> bool:
        return _runs(self.pid)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self._stop)
            self._process.wait(timeout=30)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def server_part(pid: int, command: Sequence[str], stop: signal.Signals, user: Any = None) -> Part:
    """Return a server that `servers` has started, and that the command starts again."""

    def start() -> subprocess.Popen[bytes]:
        words = servers.tied(list(command), stop, user)
        return subprocess.Popen(words, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return Part(pid, start, stop)


def _database(postgres: servers.Postgres) -> Part:
    command = Path(f"/proc/{postgres.pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    return server_part(postgres.pid, command, signal.SIGQUIT, servers.POSTGRES_USER)


def _cache(valkey: servers.Valkey) -> Part:
    port = valkey.url.rpartition(":")[2].partition("/")[0]
    command = [str(servers.valkey_program()), "--bind", "127.0.0.1", "--port", port, "--save", ""]
    return server_part(valkey.pid, command, signal.SIGKILL)


def _clock(process: Path) -> Path:
    return process.with_suffix(".clock")


@contextmanager
def _fake_clocks() -> Iterator[None]:
    """Let a process that is started in the block, and its children, take the time of day from a file."""
    command = ["faketime", "-m", "-f", "+0", "printenv", "LD_PRELOAD"]
    library = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    fake = {
        "LD_PRELOAD": library,
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DISABLE_SHM": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # of waits for a lock: threads then wake all the time
        "NO_FAKE_STAT": "1",
    }
    os.environ.update(fake)
    try:
        yield
    finally:
        for name in fake:
            del os.environ[name]


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a disk at the folder, in which all servers keep their files. Yield whether this system allows it."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "faults", str(folder)]
    if subprocess.run(mount, check=False).returncode:
        yield False
        return
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield True
    finally:
        tempfile.tempdir = before
        subprocess.run(["umount", "--lazy", folder], check=True)


def resize_disk(folder: Path, size: str | None = None) -> None:
    """Give the disk this size, or the size of what it contains."""
    while True:
        found = os.statvfs(folder)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        done = subprocess.run(["mount", "-o", f"remount,size={size or used}", folder], check=False)
        if done.returncode == 0:  # otherwise something was written meanwhile
            return


@dataclass
class Fleet:
    folder: Path
    port: int
    node_ports: list[int]
    nodes: list[Part]
    workers: list[Part]
    log_readers: dict[int, subprocess.Popen[bytes]]
    """By the process id of the node that logs to it."""
    postgres: Part
    valkey: Part
    network: FaultProxy
    database_url: str
    """Past the fault proxy."""
    valkey_url: str
    settings: dict[str, str]

    def set_clock(self, number: int, seconds: int) -> None:
        """Let the clocks of a node and of a worker differ by so many seconds from that of the database."""
        for kind in ("node", "worker"):
            _clock(self.folder / f"{kind}-{number}").write_text(f"{seconds:+d}\n")

    def logs(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))


@contextmanager
def running(folder: Path, *, is_direct: bool = False, **given: str) -> Iterator[Fleet]:
    """Start the fleet, with these settings, and stop it at the end of the block.

    If it is direct, PostgreSQL is used past the fault proxy, which costs much CPU time.
    """
    with servers.postgres_server() as postgres, servers.valkey() as valkey:
        port = int(postgres.url.rpartition(":")[2].partition("/")[0])
        network = FaultProxy(port)
        database_port = port if is_direct else network.port
        public, one, two = (serving.free_port() for _ in range(3))
        settings = {
            "DATABASE_URL": postgres.url.replace(f":{port}/", f":{database_port}/"),
            "REDIS_URL": valkey.url,
            "SECRET_KEY": "f" * 40,
            "PUBLIC_URL": f"http://127.0.0.1:{public}",
            "RATE_LIMITS": "off",
            "LOG_REQUESTS": "changes",
            **given,
        }
        migrated = serving.goodword(folder, "migrate", **{**settings, "DATABASE_URL": postgres.url})
        assert migrated.returncode == 0, migrated.stderr

        log_readers: dict[int, subprocess.Popen[bytes]] = {}

        def process(name: str, *arguments: str) -> Part:
            env = serving.environment(folder, **settings)
            env["FAKETIME_TIMESTAMP_FILE"] = str(_clock(folder / name))

            def start() -> Process:
                out, pipe = os.pipe()
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
                with os.fdopen(pipe, "wb") as file, (folder / f"{name}.log").open("a") as log:
                    reader = subprocess.Popen(["cat"], stdin=out, stdout=log, stderr=subprocess.DEVNULL)
                    os.close(out)
                    started = Process(arguments, cwd=folder, env=env, stdout=file, stderr=file)
                log_readers[started.pid] = reader
                return started

            part = Part(0, start)
            part.start()
            return part

        with _fake_clocks():
            nodes = [
                process(f"node-{number}", "serve", "--port", str(port))
                for number, port in enumerate((one, two))
            ]
        workers = [process(f"worker-{number}", "worker") for number in range(2)]
        parts = _database(postgres), _cache(valkey)
        proxy = haproxy(folder, public, *(f"127.0.0.1:{node}" for node in (one, two)))
        try:
            for node in (one, two):
                serving.wait_for_port(node)
            with proxy_process(proxy, folder, public):
                ports, urls = [one, two], (postgres.url, valkey.url)
                yield Fleet(
                    folder, public, ports, nodes, workers, log_readers, *parts, network, *urls, settings
                )
        finally:
            for part in (*nodes, *workers, *parts):
                part.stop()
