"""Start what is measured: databases, the service as in production, and the limits beside it."""

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from tempfile import mkdtemp

import asyncpg

import machine
import seed
import servers
import serving
from raw_http import family

WORKERS = 2
STARTED = "Started server process"
CHEAP = {"ENVIRONMENT": "development", "PASSWORD_HASH": "fast_for_tests"}
"""For what is measured without its hashes."""
NO_CACHE = {"CACHE": "off"}

SECRET = secrets.token_hex(32)
# Durable as by default. The memory is what a small production server would give it.
POSTGRES = ("--shared_buffers=512MB", "--max_wal_size=4GB", "--checkpoint_timeout=15min")
PATIENCE = 120
"""Seconds for a start or a stop on a busy machine."""
SOURCE = str(machine.ROOT / "src")


@dataclass(frozen=True)
class Server:
    """A server of HTTP. The CPU time of a response is that of its processes and of PostgreSQL."""

    url: str
    pid: int
    postgres: int | None

    @property
    def workers(self) -> list[int]:
        """Return the processes that answer: of those that the first one started, the largest."""
        started = family(self.pid)[1:]
        return sorted(started, key=lambda pid: machine.memory(pid)[0])[-WORKERS:] or [self.pid]

    @contextmanager
    def counted_cpu(self) -> Iterator[dict[str, float]]:
        """Fill in, when the block ends, the seconds of CPU that were used in it."""
        processes = {"service": self.pid, "database": self.postgres}
        before = {name: machine.cpu(pid) for name, pid in processes.items() if pid}
        used = dict.fromkeys(processes, 0.0)
        yield used
        used.update({name: machine.cpu(pid) - before[name] for name, pid in processes.items() if pid})


class Refused(Exception):
    """The service did not do what the benchmark needs before it can measure."""


class Stack:
    """The databases of one run, in a folder of its own, and the source that is measured with them."""

    def __init__(
        self, postgres: servers.Postgres, valkey: servers.Valkey, folder: Path, python_path: str
    ) -> None:
        self.postgres, self.valkey, self.folder = postgres, valkey, folder
        names = ["PYTHONDONTWRITEBYTECODE", *_unknown_settings(python_path)]
        unset = [argument for name in names for argument in ("-u", name)]
        self.source = ("env", *unset, f"PYTHONPATH={python_path}")

    def settings(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the settings of production with every part. Clients come through a proxy: see `requests.lua`."""
        production = {
            "ENVIRONMENT": "production",
            "SECRET_KEY": SECRET,
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.valkey.url,
            "LOG_FORMAT": "json",
            "TRUSTED_PROXIES": "127.0.0.1",
            "PASSWORD_HASH": "standard",
            "ACCESS_TOKEN_LIFETIME": "3600",
        }
        return production | dict(given)

    def migrate(self, settings: Mapping[str, str] | None = None) -> None:
        command = [*self.source, str(serving.GOODWORD), "migrate"]
        environment = serving.environment(self.folder, **self.settings(settings or {}))
        done = subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Refused(done.stderr)

    def fill(self, crowd: seed.Crowd) -> None:
        self.migrate()
        asyncio.run(seed.fill(self.postgres.url, crowd))

    def copy(self, name: str) -> dict[str, str]:
        """Return the setting of a copy of the database. No service may use the original meanwhile."""
        server, _, original = self.postgres.url.rpartition("/")

        async def create() -> None:
            connection = await asyncpg.connect(f"{seed.dsn(server)}/template1")
            await connection.execute(f"DROP DATABASE IF EXISTS {name}")
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {original}")
            await connection.close()

        asyncio.run(create())
        return {"DATABASE_URL": f"{server}/{name}"}

    @contextmanager
    def service(
        self, settings: Mapping[str, str] | None = None, *, workers: int = WORKERS
    ) -> Iterator[Server]:
        """Run `goodword serve`, and begin when all of its processes answer."""
        port = serving.free_port()
        url = f"http://127.0.0.1:{port}"
        given = {"PUBLIC_URL": url} | self.settings(settings or {})
        command = ["serve", "--port", str(port), "--workers", str(workers)]
        with self._goodword(command, Path(mkdtemp(dir=self.folder)), given) as (process, log):
            _wait_for(process, log, workers)
            yield Server(url, process.pid, self.postgres.pid)

    @contextmanager
    def embedded(self, folder: Path) -> Iterator[None]:
        """Run `goodword serve` on SQLite in this folder, and begin when it is ready."""
        port = serving.free_port()
        with self._goodword(["serve", "--port", str(port)], folder, {}):
            _wait_until_ready(port)
            yield

    @contextmanager
    def worker(self, settings: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
        """Run `goodword worker`, stopped: see `running`."""
        folder = Path(mkdtemp(dir=self.folder))
        with self._goodword(["worker"], folder, self.settings(settings)) as (process, log):
            _wait_for(process, log, 1, "worker started")
            process.send_signal(SIGSTOP)
            try:
                yield process
            finally:
                process.send_signal(SIGCONT)

    @contextmanager
    def _goodword(
        self, arguments: Sequence[str], folder: Path, settings: Mapping[str, str]
    ) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
        environment = serving.environment(folder, **settings)
        command = [*self.source, str(serving.GOODWORD), *arguments]
        with _process(command, folder, environment) as process:
            yield process, folder / "log"

    @contextmanager
    def limit(self, name: str, body: bytes = b"") -> Iterator[Server]:
        """Run one of `limits_asgi`, with as many processes as the service has."""
        folder, port = Path(mkdtemp(dir=self.folder)), serving.free_port()
        given = {"BENCH_BODY": body.decode(), "BENCH_DATABASE": seed.dsn(self.postgres.url)}
        program = str(Path(__file__).with_name("limits_asgi.py"))
        command = [sys.executable, program, name, str(port), str(WORKERS)]
        with _process(command, folder, os.environ | given) as process:
            _wait_for(process, folder / "log", WORKERS)
            yield Server(f"http://127.0.0.1:{port}", process.pid, self.postgres.pid)


def _unknown_settings(python_path: str) -> list[str]:
    """Return the variables of `serving.environment` that an earlier commit refuses."""
    known = Path(python_path.split(":", maxsplit=1)[0], "goodword", "config", "settings.py").read_text()
    return [] if "drain_seconds" in known else ["GOODWORD_DRAIN_SECONDS"]


@contextmanager
def running(worker: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let a stopped worker run during the block."""
    worker.send_signal(SIGCONT)
    yield
    worker.send_signal(SIGSTOP)


@contextmanager
def stack(folder: Path, python_path: str = SOURCE, options: Sequence[str] = ()) -> Iterator[Stack]:
    with servers.postgres_server(*POSTGRES, *options) as postgres, servers.valkey() as valkey:
        yield Stack(postgres, valkey, folder, python_path)


@contextmanager
def _process(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _wait_for(process: subprocess.Popen[bytes], log: Path, times: int, text: str = STARTED) -> None:
    deadline = time.monotonic() + PATIENCE
    while log.read_text().count(text) < times:
        if process.poll() is not None or time.monotonic() > deadline:
            raise Refused(f"it did not start:\n{log.read_text()}")
        time.sleep(0.05)


def _wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        connection = HTTPConnection(f"127.0.0.1:{port}", timeout=PATIENCE)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.01)
    raise Refused("it did not become ready")
