"""Time the start of two processes until `/readyz` answers, with a schema that is there."""

import subprocess
import time
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

import machine
import servers
import serving
from measured import Measured, scaled

STARTS = 9
AIMS = {"SQLite": 1.5, "PostgreSQL": 3.0}
"""Seconds, of the median."""


def measure(folder: Path, share: float) -> Measured:
    with servers.postgres_server() as postgres:
        given = {"DATABASE_URL": postgres.url, "SECRET_KEY": "s" * 40, "PUBLIC_URL": "http://127.0.0.1"}
        migrated = serving.goodword(folder, "migrate", **given)
        assert migrated.returncode == 0, migrated.stderr
        places: dict[str, tuple[Path, dict[str, str]]] = {
            "SQLite": (folder / "embedded", {}),
            "PostgreSQL": (folder, given),
        }
        (folder / "embedded").mkdir()
        _start(*places["SQLite"])
        times = {
            name: [_start(*place) for _ in range(scaled(STARTS, share))] for name, place in places.items()
        }
    medians = {name: median(wall for wall, _ in each) for name, each in times.items()}
    text = "; ".join(
        f"{name}: median {medians[name]:.2f} s, longest {max(each)[0]:.2f} s,"
        f" CPU {median(cpu for _, cpu in each):.2f} s"
        for name, each in times.items()
    )
    return Measured(text, all(medians[name] <= AIMS[name] for name in AIMS))


def _start(folder: Path, settings: dict[str, str]) -> tuple[float, float]:
    """Return the seconds until the service is ready, and those of CPU of all its processes."""
    port = serving.free_port()
    environment = serving.environment(folder, **settings)
    command = [str(serving.GOODWORD), "serve", "--port", str(port), "--workers", "2"]
    began = time.monotonic()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        while not _is_ready(port):
            time.sleep(0.01)
        return time.monotonic() - began, machine.cpu(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _is_ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
