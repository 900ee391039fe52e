"""Run the `goodword` command, in this process or in one of its own."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import structlog
from typer.testing import CliRunner

from goodword.cli.main import app
from goodword.config.settings import Settings
from preloaded import Process

ROOT = Path(__file__).parent.parent
GOODWORD = Path(sys.executable).with_name("goodword")
START_SECONDS = 120
UNFORKED = ("env",)
"""For `within`: start an interpreter, for tests that measure the memory of the service."""


@dataclass
class Served:
    url: str
    process: subprocess.Popen[str] | Process
    log: Path

    def stop(self) -> None:
        """Terminate the process and wait for it. It ends by the signal after a graceful shutdown."""
        self.process.terminate()
        assert self.process.wait(timeout=30) == -signal.SIGTERM


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Return the environment with these settings only, and with a data folder in `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GOODWORD_")}
    given = {
        "DATA_DIR": str(folder / "data"),
        "PASSWORD_HASH": "fast_for_tests",
        "DRAIN_SECONDS": "0",
        **settings,
    }
    return kept | {f"GOODWORD_{name}": value for name, value in given.items()}


@dataclass(frozen=True)
class Finished:
    returncode: int
    stdout: str
    stderr: str


def goodword(folder: Path, *arguments: str, stdin: str | bytes | None = None, **settings: str) -> Finished:
    """Run one command in this process, which saves the time that an interpreter takes to import everything.

    Raises what the command raises. The thread has no event loop and no context of the caller.
    """
    given = environment(folder, **settings)
    variables = dict.fromkeys(os.environ.keys() - given.keys()) | given
    before = structlog.get_config()
    try:
        with chdir(folder), ThreadPoolExecutor(1) as executor:
            result = executor.submit(
                CliRunner().invoke, app, arguments, input=stdin, env=variables, catch_exceptions=False
            ).result()
    finally:
        structlog.configure(**before)  # the command logs to a stream that is closed now
    return Finished(result.exit_code, result.stdout, result.stderr)


def command_on(settings: Settings, folder: Path) -> Callable[..., Finished]:
    """Return a function that runs a command on the database of these settings, or with others."""
    own = {"DATABASE_URL": settings.database, "DATA_DIR": str(settings.data_dir)}
    own["SECRET_KEY"] = settings.secret.decode()

    def run(*arguments: object, **given: str) -> Finished:
        return goodword(folder, *map(str, arguments), **{**own, **given})

    return run


def goodword_process(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command in a process of its own, as an operator does."""
    with TemporaryFile("w+") as stdout, TemporaryFile("w+") as stderr:
        process = Process(
            arguments, cwd=folder, env=environment(folder, **settings), stdout=stdout, stderr=stderr
        )
        code = process.wait(timeout=60)
        for file in (stdout, stderr):
            file.seek(0)
        return subprocess.CompletedProcess(arguments, code, stdout.read(), stderr.read())


@contextmanager
def serving(folder: Path, *arguments: str, within: Sequence[str] = (), **settings: str) -> Iterator[Served]:
    """Run `goodword serve` until the block ends. `within` is a command that runs it."""
    port = int(arguments[arguments.index("--port") + 1]) if "--port" in arguments else free_port()
    url = f"http://127.0.0.1:{port}"
    log = folder / "serve.log"
    command = ["serve", "--port", str(port), *arguments]
    env = environment(folder, **{"PUBLIC_URL": url, **settings})
    process: subprocess.Popen[str] | Process
    with log.open("w") as out:
        if within:
            process = subprocess.Popen(
                [*within, GOODWORD, *command],
                cwd=folder,
                env=env,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
            )
        else:
            process = Process(command, cwd=folder, env=env, stdout=out, stderr=out)
    try:
        try:
            wait_until_ready(url, process)
        except AssertionError as error:
            error.add_note(log.read_text())
            raise
        yield Served(url, process, log)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=30)


@contextmanager
def working(folder: Path, **settings: str) -> Iterator[Process]:
    """Run `goodword worker` until the block ends. It logs to `worker.log` in the folder."""
    with (folder / "worker.log").open("w") as log:
        process = Process(["worker"], cwd=folder, env=environment(folder, **settings), stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait(timeout=60)


def free_port() -> int:
    """Return a port that no outgoing connection takes meanwhile: the system gives those higher ones."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_for_port(port: int) -> None:
    """Wait until a server listens on the port."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("no server listens on the port")


def children(process: subprocess.Popen[str] | Process) -> set[int]:
    """Return the ids of the processes that it has forked."""
    return {int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()}


def wait_until(holds: Callable[..., object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_until_ready(url: str, process: subprocess.Popen[str] | Process | None = None) -> None:
    """Wait until `/readyz` is 200, or the process ends."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and (process is None or process.poll() is None):
        try:
            with urlopen(f"{url}/readyz"):
                return
        except HTTPError as error:
            error.close()
        except URLError:
            pass
        time.sleep(0.05)
    raise AssertionError("it did not become ready")
