"""Stop a node, and replace the nodes behind each proxy, under load: no request fails."""

import time
from collections import Counter
from pathlib import Path

import load
from load import History

import servers
import serving
from logged_requests import REFUSED
from measured import Measured, scaled
from proxies.test_replacement import PROXIES, outcomes_of_replacements

STOPS, REPLACEMENTS = 20, 10


def measure_stops(folder: Path, share: float) -> Measured:
    """Stop one process and two, in turn, while four clients send requests until they are refused."""
    histories, stops = list[History](), scaled(STOPS, share)
    for number in range(stops):
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
    # Refused connections are not requests.
    statuses = [one.status for history in histories for one in history.attempts if one.status != REFUSED]
    failed = Counter(status for status in statuses if status == 0 or status >= 500)
    text = (
        f"{stops} stops, half of them of two processes: {failed.total()} of {len(statuses):,} requests failed"
    )
    return Measured(f"{text} {dict(failed) or ''}".strip(), not failed)


def measure_replacements(folder: Path, share: float) -> Measured:
    """Replace a node after the other, as docs/self-hosting.md says, at 100 requests a second."""
    found, replacements = dict[str, Counter[object]](), scaled(REPLACEMENTS, share)
    for configure in PROXIES:
        place = folder / configure.__name__
        place.mkdir()
        with servers.postgres_server() as postgres:
            settings = {"DATABASE_URL": postgres.url, "SECRET_KEY": "f" * 40}
            migrated = serving.goodword(place, "migrate", **settings)
            assert migrated.returncode == 0, migrated.stderr
            outcomes = outcomes_of_replacements(place, configure, replacements, **settings)  # type: ignore[no-untyped-call]
        found[configure.__name__] = Counter(outcomes)
    failed = {name: [one for one in each if one not in (201, 404)] for name, each in found.items()}
    text = "; ".join(
        f"{name}: {sum(found[name][one] for one in failed[name])} of {found[name].total():,} requests failed"
        + "".join(f" {one}" for one in failed[name][:3])
        for name in found
    )
    return Measured(f"{replacements} replacements behind each proxy: {text}", not any(failed.values()))
