"""Start what is measured: databases, the service as in production, and the limits beside it."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import urlsplit

import machine
import seed
import servers
import serving
from goodword.config.settings import Settings

WORKERS = 2
STARTED = "Application startup complete"
CHEAP = {"ENVIRONMENT": "development", "PASSWORD_HASH": "fast_for_tests"}
"""For what is measured without its hashes."""

SECRET = secrets.token_hex(32)
# Durable as by default. The memory is what a small production server would give it.
POSTGRES = ("--shared_buffers=512MB", "--max_wal_size=4GB", "--checkpoint_timeout=15min")


@dataclass(frozen=True)
class Server:
    """Something that answers HTTP, and the processes whose CPU its answers cost."""

    url: str
    workers: list[int]
    postgres: int | None


class Refused(Exception):
    """The service did not do what the benchmark needs before it can measure."""


class Stack:
    """The databases of one run, in a folder of its own."""

    def __init__(self, postgres: servers.Postgres, valkey: servers.Valkey, folder: Path) -> None:
        self.postgres, self.valkey, self.folder = postgres, valkey, folder

    def settings(self, given: dict[str, str]) -> dict[str, str]:
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
        return production | given

    def migrate(self, settings: dict[str, str] | None = None) -> None:
        done = serving.goodword(self.folder, "migrate", **self.settings(settings or {}))
        if done.returncode:
            raise Refused(done.stderr)

    @contextmanager
    def service(self, settings: dict[str, str] | None = None, *, workers: int = WORKERS) -> Iterator[Server]:
        """`goodword serve`, from when all of its processes answer."""
        folder = Path(mkdtemp(dir=self.folder))
        with serving.serving(folder, "--workers", str(workers), **self.settings(settings or {})) as served:
            _wait_for(served.log, workers)
            yield Server(served.url, machine.workers(served.process.pid), self.postgres.pid)

    @contextmanager
    def worker(self, settings: dict[str, str]) -> Iterator[None]:
        """`goodword worker`, which does the jobs meanwhile."""
        folder = Path(mkdtemp(dir=self.folder))
        environment = serving.environment(folder, **self.settings(settings))
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [serving.GOODWORD, "worker"],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
            )
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)

    @contextmanager
    def limit(self, name: str, body: bytes = b"") -> Iterator[Server]:
        """One of `limits_asgi`, with as many processes as the service has."""
        folder, port = Path(mkdtemp(dir=self.folder)), serving.free_port()
        given = {"BENCH_BODY": body.decode(), "BENCH_DATABASE": seed.dsn(self.postgres.url)}
        program = Path(__file__).with_name("limits_asgi.py")
        with (folder / "log").open("w") as log:
            command = [sys.executable, str(program), name, str(port), str(WORKERS)]
            process = subprocess.Popen(
                command, env=os.environ | given, stdout=log, stderr=subprocess.STDOUT, cwd=folder
            )
        try:
            _wait_for(folder / "log", WORKERS)
            yield Server(f"http://127.0.0.1:{port}", machine.workers(process.pid), self.postgres.pid)
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    os.environ["PYTHONPATH"] = str(machine.ROOT / "src")  # what is served is this tree, in whatever folder
    with servers.postgres_server(*POSTGRES) as postgres, servers.valkey() as valkey:
        yield Stack(postgres, valkey, folder)


CAN_DO_WITHOUT_CACHE = "cache" in Settings.model_fields


def no_cache(settings: dict[str, str] | None = None) -> dict[str, str]:
    """The settings, and that every look-up goes to the database, once the service can be told so."""
    return (settings or {}) | ({"CACHE": "off"} if CAN_DO_WITHOUT_CACHE else {})


def ask(server: Server, path: str, body: dict[str, Any] | None = None, token: str | None = None) -> bytes:
    """One request, for what has to be known before measuring."""
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    content = json.dumps(body) if body is not None else None
    connection.request("GET" if body is None else "POST", path, content, headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    if response.status >= 300:
        raise Refused(f"{path}: {response.status} {answer!r}")
    return answer


def sign_in(server: Server, person: int) -> tuple[str, str]:
    """An access token of this person, and the address of the first page of their referrals."""
    credentials = {"email": seed.email(person), "password": seed.PASSWORD}
    token: str = json.loads(ask(server, "/api/v1/sessions", credentials))["access_token"]
    me = json.loads(ask(server, "/api/v1/me", token=token))
    return token, f"/api/v1/users/{me['id']}/referrals"


def _wait_for(log: Path, workers: int) -> None:
    deadline = time.monotonic() + serving.START_SECONDS
    while log.read_text().count(STARTED) < workers:
        if time.monotonic() > deadline:
            raise Refused(f"it did not start:\n{log.read_text()}")
        time.sleep(0.05)
