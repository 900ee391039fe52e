"""The faults: each breaks a part of the fleet, waits, and mends it."""

import signal
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import redis
from fleet import DISK, Fleet, Part, resize_disk

Step = Callable[[Fleet, float], None]


class Fault(NamedTuple):
    inflict: Step
    """Break a part for so many seconds, and mend it."""
    seconds: float
    times: int
    short: tuple[float, int]
    """Seconds and times of the short version."""


def _killed(part: Callable[[Fleet, int], Part], number: signal.Signals = signal.SIGKILL) -> Step:
    turn = iter(range(10**6))

    def inflict(fleet: Fleet, seconds: float) -> None:
        victim = part(fleet, next(turn) % 2)
        victim.kill(number)
        time.sleep(seconds)
        victim.start()

    return inflict


def _frozen(part: Callable[[Fleet, int], Part]) -> Step:
    def inflict(fleet: Fleet, seconds: float) -> None:
        victim = part(fleet, 0)
        victim.send(signal.SIGSTOP)
        time.sleep(seconds)
        victim.send(signal.SIGCONT)

    return inflict


def _valkey(*commands: str, mend: str) -> Step:
    def inflict(fleet: Fleet, seconds: float) -> None:
        with redis.Redis.from_url(fleet.valkey_url) as client:
            for command in commands:
                client.execute_command(*command.split(" "))
            time.sleep(seconds)
            client.execute_command(*mend.split(" "))

    return inflict


def _slow(fleet: Fleet, seconds: float) -> None:
    fleet.network.delay = 0.05
    time.sleep(seconds)
    fleet.network.delay = 0.0


def _cut(fleet: Fleet, seconds: float) -> None:
    fleet.network.cut(True)
    time.sleep(seconds)
    fleet.network.cut(False)


def _disk_full(fleet: Fleet, seconds: float) -> None:
    resize_disk(fleet.folder)
    time.sleep(seconds)
    resize_disk(fleet.folder, DISK)
    time.sleep(1)
    if not fleet.postgres.runs():  # it ends when it cannot write its log
        fleet.postgres.start()


def _log_frozen(fleet: Fleet, seconds: float) -> None:
    reader = fleet.log_readers[fleet.nodes[0].pid]
    reader.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    reader.send_signal(signal.SIGCONT)


def _log_closed(fleet: Fleet, seconds: float) -> None:
    fleet.log_readers[fleet.nodes[0].pid].kill()
    time.sleep(seconds)
    fleet.nodes[0].kill(signal.SIGTERM)
    fleet.nodes[0].start()


def _clock_set(fleet: Fleet, seconds: float) -> None:
    for difference in (90, -90, 0):
        fleet.set_clock(0, difference)
        time.sleep(seconds)


FAULTS: Mapping[str, Fault] = {
    "nothing": Fault(lambda _fleet, seconds: time.sleep(seconds), 10, 1, (3, 1)),
    "worker killed": Fault(_killed(lambda fleet, turn: fleet.workers[turn]), 0.5, 20, (0.5, 2)),
    "node killed": Fault(_killed(lambda fleet, turn: fleet.nodes[turn]), 1, 20, (1, 2)),
    "node frozen": Fault(_frozen(lambda fleet, turn: fleet.nodes[turn]), 10, 2, (3, 1)),
    "database killed": Fault(_killed(lambda fleet, _turn: fleet.postgres), 0.2, 10, (0.2, 1)),
    "database frozen": Fault(_frozen(lambda fleet, _turn: fleet.postgres), 10, 2, (3, 1)),
    "database stopped": Fault(_killed(lambda fleet, _turn: fleet.postgres, signal.SIGQUIT), 60, 1, (3, 1)),
    "network slow": Fault(_slow, 10, 1, (3, 1)),
    "network cut": Fault(_cut, 10, 2, (3, 1)),
    "disk full": Fault(_disk_full, 10, 3, (3, 1)),
    "reader of logs frozen": Fault(_log_frozen, 10, 2, (3, 1)),
    "standard error closed": Fault(_log_closed, 3, 3, (2, 1)),
    "clock back and forth": Fault(_clock_set, 65, 1, (3, 1)),
    "Valkey killed": Fault(_killed(lambda fleet, _turn: fleet.valkey), 3, 5, (2, 1)),
    "Valkey frozen": Fault(_frozen(lambda fleet, _turn: fleet.valkey), 10, 2, (2, 1)),
    "Valkey flushed": Fault(_valkey("FLUSHALL", mend="FLUSHALL"), 1, 3, (1, 1)),
    "Valkey full": Fault(_valkey("CONFIG SET maxmemory 1", mend="CONFIG SET maxmemory 0"), 5, 2, (2, 1)),
    "Valkey read-only": Fault(_valkey("REPLICAOF 127.0.0.1 1", mend="REPLICAOF NO ONE"), 5, 2, (2, 1)),
    "Valkey wrong password": Fault(
        _valkey("CONFIG SET requirepass other", "CLIENT KILL TYPE normal", mend="CONFIG SET requirepass "),
        5,
        2,
        (2, 1),
    ),
}
