"""Several processes of the service, forked from one that has imported everything, so that they share its memory."""

import asyncio
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import structlog

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGALRM}
INHERITED = "_GOODWORD_INHERITED"
"""The environment variable by which `Supervisor` hands its sockets and processes to the program that replaces it."""
KILL_SECONDS = 25
"""From the signal until a process is killed. It has 20 seconds to stop by itself."""
HUNG_SECONDS = 30
"""Without a sign of life, after which a process is killed."""
STABLE_SECONDS = 60
"""A process that ran so long is replaced at once, others after a pause."""
MAX_PAUSE = 30

log = structlog.get_logger("goodword.start")


@dataclass(slots=True)
class _Place:
    """One of the processes."""

    pid: int | None = None
    started: float = 0
    pause: float = 0


@dataclass(frozen=True, slots=True)
class Child:
    """What a forked process has of its supervisor."""

    number: int
    supervisor: int
    beats: "memoryview[float]"
    lifeline: int
    """A file that ends when the supervisor does."""

    async def beat(self) -> None:
        """Report that the process serves. uvicorn calls this every second."""
        is_first = not self.beats[self.number]
        self.beats[self.number] = time.monotonic()
        if is_first:
            os.kill(self.supervisor, signal.SIGUSR1)

    def is_last(self) -> bool:
        """Return whether all processes stop."""
        return bool(self.beats[-1])

    def on_end_of_supervisor(self, call: Callable[[], None]) -> None:
        """Call this when the supervisor has ended, killed perhaps. Its sockets must not stay in use."""
        loop = asyncio.get_running_loop()

        def end() -> None:
            loop.remove_reader(self.lifeline)
            self.beats[-1] = 1
            call()

        loop.add_reader(self.lifeline, end)


class Supervisor:
    """Forks processes, replaces those that die or hang, and stops them all.

    SIGHUP replaces all of them, and this program too, by new ones with the settings and the code of then.
    """

    def __init__(self, count: int, sockets: Sequence[socket.socket], *, on_ready: Callable[[], None]) -> None:
        self._places = [_Place() for _ in range(count)]
        self._sockets, self._on_ready = sockets, on_ready
        self._beats = memoryview(mmap.mmap(-1, (count + 1) * 8)).cast("d")
        """When each process reported last, and whether all are to stop. The memory is shared."""
        self._lifeline = os.pipe()
        self._is_ready = False
        self.ended_by = signal.SIGTERM
        self._previous = _inherited()["processes"]

    def run(self) -> Child | None:
        """Return in each forked process. Return None in this one when all others have ended after a signal."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        for internal in (signal.SIGALRM, signal.SIGUSR1):  # one may be pending at the end, and would kill
            signal.signal(internal, lambda _number, _frame: None)
        signal.setitimer(signal.ITIMER_REAL, 1, 1)
        try:
            while True:
                if child := self._start_missing():
                    return child
                number = signal.sigwait(SIGNALS)
                if number in (signal.SIGTERM, signal.SIGINT):
                    self.ended_by = signal.Signals(number)
                    self._stop(number)
                    return None
                if number == signal.SIGHUP:
                    self._replace_program()
                self._reap()
                self._kill_hung()
                if not self._is_ready and all(self._beats[:-1]):
                    self._is_ready = True
                    self._on_ready()
                    self._signal(signal.SIGTERM, self._previous)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _start_missing(self) -> Child | None:
        now = time.monotonic()
        for number, place in enumerate(self._places):
            if place.pid is None and now >= place.started + place.pause:
                self._beats[number] = 0
                place.started, supervisor = now, os.getpid()
                place.pid = os.fork()
                if place.pid == 0:
                    os.setpgid(0, 0)  # Ctrl-C reaches the supervisor alone, which passes it on
                    os.close(self._lifeline[1])
                    return Child(number, supervisor, self._beats, self._lifeline[0])
            if number == 0 and not self._is_ready and not self._beats[0]:
                break  # it migrates the schema, and reports what is wrong for all
        return None

    def _reap(self) -> None:
        for pid, status in _ended():
            number = next((n for n, place in enumerate(self._places) if place.pid == pid), None)
            if number is None:
                self._previous = [other for other in self._previous if other != pid]
                continue
            place, code = self._places[number], os.waitstatus_to_exitcode(status)
            place.pid = None
            if not self._is_ready and code > 0:
                self._stop(signal.SIGTERM)
                raise SystemExit(code)
            is_stable = time.monotonic() - place.started > STABLE_SECONDS
            place.pause = 0 if is_stable else min(MAX_PAUSE, max(1, 2 * place.pause))
            log.warning("a process ended and is replaced", status=code, seconds=place.pause)

    def _kill_hung(self) -> None:
        for place, beat in zip(self._places, self._beats[:-1], strict=True):
            if place.pid is not None and beat and time.monotonic() - beat > HUNG_SECONDS:
                log.warning("a process hangs and is killed")
                self._signal(signal.SIGKILL, [place.pid])

    def _stop(self, number: int) -> None:
        """Stop all processes. Their sockets listen on until each has drained, so this one must not hold them."""
        for listener in self._sockets:
            listener.close()
        self._beats[-1] = 1
        self._signal(number, self._all())
        killed_at = time.monotonic() + KILL_SECONDS
        while self._all():
            number = signal.sigwait(SIGNALS)
            if number in (signal.SIGTERM, signal.SIGINT):
                self._signal(number, self._all())
            elif time.monotonic() > killed_at:
                self._signal(signal.SIGKILL, self._all())
            ended = {pid for pid, _ in _ended()}
            self._previous = [pid for pid in self._previous if pid not in ended]
            for place in self._places:
                place.pid = None if place.pid in ended else place.pid

    def _all(self) -> list[int]:
        return [*(place.pid for place in self._places if place.pid), *self._previous]

    @staticmethod
    def _signal(number: int, processes: Sequence[int]) -> None:
        for pid in processes:
            os.kill(pid, number)  # it is not reaped, so the number is its own

    def _replace_program(self) -> None:
        """Execute this program again. The processes go on until those of the new one are ready."""
        program = [sys.executable, *sys.orig_argv[1 : sys.orig_argv.index("serve")]]
        check = subprocess.run([*program, "config"], stdout=subprocess.DEVNULL, check=False)  # noqa: S603  itself
        if check.returncode != 0:
            log.error("the settings are wrong: the processes go on with the previous ones")
            return
        files = [listener.fileno() for listener in self._sockets]
        for file in (*files, self._lifeline[1]):
            os.set_inheritable(file, True)
        os.environ[INHERITED] = json.dumps({"files": files, "processes": self._all()})
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  itself


def _inherited() -> dict[str, list[int]]:
    found: dict[str, list[int]] = json.loads(os.environ.get(INHERITED, '{"files": [], "processes": []}'))
    return found


def inherited_sockets() -> list[socket.socket]:
    """Return the sockets of the program that was replaced by this one, if any."""
    return [socket.socket(fileno=file) for file in _inherited()["files"]]


def _ended() -> Iterator[tuple[int, int]]:
    """Yield the ids and statuses of processes that have ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status
