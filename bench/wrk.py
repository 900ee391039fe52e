"""Drive a server with wrk, and see what it answers and what that costs."""

import json
import re
import shutil
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import urlsplit

import machine
from stack import Server, Stack

SCRIPT = Path(__file__).with_name("requests.lua")
SIGN_UP = Path(__file__).with_name("signup.pgbench.sql")
CONNECTIONS = 16


@dataclass(frozen=True)
class Figures:
    """Of one measurement, or the medians of several. Times in milliseconds, CPU in microseconds a request."""

    per_second: float
    p50: float = 0
    p99: float = 0
    service_cpu: float = 0
    database_cpu: float = 0
    refused: int = 0
    """Answers that are none of 2xx and 3xx."""
    broken: int = 0
    """Connections that failed, and answers that did not come."""

    @property
    def errors(self) -> int:
        return self.refused + self.broken


Measure = Callable[[float], Figures]
"""Measures for so many seconds."""


def require() -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("The benchmark needs wrk: apt-get install wrk")


def drive(
    server: Server,
    requests: Sequence[str],
    seconds: float,
    *,
    token: str | None = None,
    cookie: str | None = None,
    connections: int = CONNECTIONS,
    pause: int = 0,
) -> Figures:
    """Send the requests (see `requests.lua`) in turn for so many seconds, over and over."""
    header = f"Authorization: Bearer {token}" if token else f"Cookie: {cookie}" if cookie else None
    with NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(requests) + "\n")
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
        command += ["-s", str(SCRIPT), server.url, "--", file.name, header or "-", str(pause)]
        service = machine.cpu(server.workers)
        database = machine.cpu_of_family(server.postgres) if server.postgres else 0
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        service = machine.cpu(server.workers) - service
        database = machine.cpu_of_family(server.postgres) - database if server.postgres else 0
    found = json.loads(done.stdout.strip().splitlines()[-1])
    answered = max(1, found["requests"])
    return Figures(
        per_second=found["requests"] / found["microseconds"] * 1e6,
        p50=found["p50"] / 1000,
        p99=found["p99"] / 1000,
        service_cpu=service / answered * 1e6,
        database_cpu=database / answered * 1e6,
        refused=found["refused"],
        broken=found["broken"],
    )


def pgbench(
    stack: Stack, database_url: str, codes: int, seconds: float, *, clients: int = CONNECTIONS
) -> Figures:
    """The limit of a sign-up: its statements alone, from as many clients as wrk would be."""
    place = urlsplit(database_url)
    command = [str(stack.postgres.programs / "pgbench"), "-h", "127.0.0.1", "-p", str(place.port)]
    command += ["-U", "postgres", "--no-vacuum", "-M", "prepared", "-c", str(clients), "-j", "1"]
    command += ["-T", str(max(1, round(seconds))), "-D", f"codes={codes}", "-f", str(SIGN_UP), place.path[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode or found is None:
        raise SystemExit(f"pgbench: {done.stderr}")
    return Figures(float(found[1]))


def in_turn(measures: Sequence[Measure], *, rounds: int, seconds: float) -> list[list[Figures]]:
    """A B, A B, A B: what disturbs the machine for a while disturbs them all. One list for each."""
    found: list[list[Figures]] = [[] for _ in measures]
    for measure in measures:
        measure(1)  # connections, caches, compiled statements
    for _ in range(rounds):
        for number, measure in enumerate(measures):
            found[number].append(measure(seconds / rounds))
    return found


def middle(found: Sequence[Figures]) -> Figures:
    """The median of each figure; errors add up."""

    def median(name: str) -> float:
        return float(statistics.median(getattr(one, name) for one in found))

    return Figures(
        median("per_second"),
        median("p50"),
        median("p99"),
        median("service_cpu"),
        median("database_cpu"),
        sum(one.refused for one in found),
        sum(one.broken for one in found),
    )
