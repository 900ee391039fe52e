"""Stop a node, and replace the nodes of a fleet, under load: no request fails."""

import signal
import time
from pathlib import Path
from urllib.request import urlopen

import fleet
import load
from load import REFUSED, History

import serving

STOPS, REPLACEMENTS = 20, 10


def _failed(histories: list[History]) -> tuple[int, int]:
    """Return the number of requests, and of those that failed. Refused connections are not requests."""
    statuses = [one.status for history in histories for one in history.attempts if one.status != REFUSED]
    return len(statuses), sum(status == 0 or status >= 500 for status in statuses)


def measure_stops(folder: Path) -> str:
    """Stop one process and two, in turn, while four clients send requests until they are refused."""
    histories = []
    for number in range(STOPS):
        place = folder / str(number)
        place.mkdir()
        arguments = ("--workers", str(1 + number % 2))
        with serving.serving(place, *arguments, RATE_LIMITS="off") as served:
            port = int(served.url.rpartition(":")[2])
            with load.running(port, clients=4) as history:
                while len(history.attempts) < 50:
                    time.sleep(0.05)
                served.stop()
            histories.append(history)
    requests, failed = _failed(histories)
    return f"{STOPS} stops, half of them of two processes: {failed} of {requests:,} requests failed"


def measure_replacements(folder: Path) -> str:
    """Replace a node after the other, as docs/self-hosting.md says, behind HAProxy."""
    with fleet.running(folder, DRAIN_SECONDS="4") as parts, load.running(parts.port, clients=4) as history:
        for number in range(REPLACEMENTS):
            node, port = parts.nodes[number % 2], parts.node_ports[number % 2]
            node.kill(signal.SIGTERM)
            node.start()
            serving.wait_for_port(port)
            with urlopen(f"http://127.0.0.1:{port}/readyz"):
                time.sleep(3)
    requests, failed = _failed([history])
    return f"{REPLACEMENTS} replacements: {failed} of {requests:,} requests failed"
