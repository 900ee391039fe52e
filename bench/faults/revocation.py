"""Measure how soon another node refuses the token of a session that has ended.

Two nodes with PostgreSQL, with Valkey and without it. Each time a session is signed in, used on the other node, and
ended; from the response to that, the other node is asked until it refuses the token.
"""

import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import httpx2
from load import PASSWORD

import servers
import serving
from measured import Measured, scaled

ACCOUNT = {"email": "alice@example.com", "password": PASSWORD}
SIGN_OUTS = {"with Valkey": 40, "without": 10}
AIMS = {"with Valkey": 0.1, "without": 5.0}
"""Seconds, of the longest."""


def measure(folder: Path, share: float) -> Measured:
    with servers.postgres_server() as postgres, servers.valkey() as valkey:
        settings = {"DATABASE_URL": postgres.url, "SECRET_KEY": "f" * 40, "RATE_LIMITS": "off"}
        settings["PUBLIC_URL"] = "http://127.0.0.1:8000"  # the issuer of the tokens
        migrated = serving.goodword(folder, "migrate", **settings)
        assert migrated.returncode == 0, migrated.stderr
        times = {
            name: _delays(folder, scaled(number, share), **settings, **cache)
            for (name, number), cache in zip(SIGN_OUTS.items(), ({"REDIS_URL": valkey.url}, {}), strict=True)
        }
    text = "; ".join(
        f"{name}: {len(each)} sign-outs, median {median(each) * 1000:.0f} ms, longest {max(each) * 1000:.0f} ms"
        for name, each in times.items()
    )
    return Measured(text, all(max(times[name]) <= AIMS[name] for name in AIMS))


def _delays(folder: Path, sign_outs: int, **settings: str) -> list[float]:
    """Return the seconds until the other node refuses the token, for each sign-out."""
    found = []
    with ExitStack() as stack:
        nodes = []
        for number in range(2):
            place = folder / str(number)
            place.mkdir(exist_ok=True)
            nodes.append(stack.enter_context(serving.serving(place, **settings)).url)
        one, other = (stack.enter_context(httpx2.Client(base_url=url)) for url in nodes)
        one.post("/api/v1/users", json=ACCOUNT)
        for _ in range(sign_outs):
            token = one.post("/api/v1/sessions", json=ACCOUNT).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            assert other.get("/api/v1/me", headers=headers).status_code == 200
            assert one.delete("/api/v1/me/sessions/current", headers=headers).status_code == 204
            ended = time.monotonic()
            while other.get("/api/v1/me", headers=headers).status_code == 200:
                time.sleep(0.002)
            found.append(time.monotonic() - ended)
    return found
