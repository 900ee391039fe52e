"""Generate load with wrk, and measure the responses and their CPU time."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

from row import Measure, Result
from stack import Server

SCRIPT = Path(__file__).with_name("requests.lua")
CONNECTIONS = 16


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
    header: str | None = None,
    connections: int = CONNECTIONS,
    pause: int = 0,
) -> Result:
    """Send the requests (see `requests.lua`) in turn, over and over. `header` may be several lines."""
    header = f"Authorization: Bearer {token}" if token else f"Cookie: {cookie}" if cookie else header
    with NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(requests) + "\n")
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
        command += ["-s", str(SCRIPT), server.url, "--", file.name, header or "-", str(pause)]
        with server.counted_cpu() as used:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    answered = max(1, found["requests"])
    return Result(
        per_second=found["requests"] / found["microseconds"] * 1e6,
        p50=found["p50"] / 1000,
        p99=found["p99"] / 1000,
        most=found["most"] / 1000,
        service_cpu=used["service"] / answered * 1e6,
        database_cpu=used["database"] / answered * 1e6,
        refused=found["refused"],
        broken=found["broken"],
    )


def to(
    server: Server, requests: Sequence[str], *, token: str | None = None, connections: int = CONNECTIONS
) -> Measure:
    return lambda seconds: drive(server, requests, seconds, token=token, connections=connections)
