"""Stop a node, and replace the nodes of a fleet, under load: no request fails."""

import signal
import time
from collections import Counter
from pathlib import Path

import fleet
import load
from load import History

import serving
from logged_requests import REFUSED

STOPS, REPLACEMENTS = 20, 10


def _outcome(histories: list[History]) -> str:
    """Return how many requests failed, and with which status. Refused connections are not requests."""
    statuses = [one.status for history in histories for one in history.attempts if one.status != REFUSED]
    failed = Counter(status for status in statuses if status == 0 or status >= 500)
    return f"{failed.total()} of {len(statuses):,} requests failed {dict(failed) or ''}".strip()


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
    return f"{STOPS} stops, half of them of two processes: {_outcome(histories)}"


def measure_replacements(folder: Path) -> str:
    """Replace a node after the other, as docs/self-hosting.md says, at 100 requests a second."""
    with (
        fleet.running(folder, DRAIN_SECONDS="5") as parts,
        load.running(parts.port, clients=4, pause=0.03) as history,
    ):
        for number in range(REPLACEMENTS):
            node, port = parts.nodes[number % 2], parts.node_ports[number % 2]
            node.kill(signal.SIGTERM)
            node.start()
            serving.wait_until_ready(f"http://127.0.0.1:{port}")
            time.sleep(3)
    rate = len(history.attempts) / (history.attempts[-1].ended - history.attempts[0].began)
    return f"{REPLACEMENTS} replacements at {rate:.0f} requests a second: {_outcome([history])}"
