"""How soon another node refuses the token of a session that has ended (R16): `python bench/faults/revocation.py`.

Two nodes with PostgreSQL, with Valkey and without it. Each time a session is signed in, used on the other node, and
ended; from the response to that, the other node is asked until it refuses the token.
"""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2

sys.path.append(str(Path(__file__).parents[2] / "tests"))

import servers
import serving

ACCOUNT = {"email": "alice@example.com", "password": "seven lanterns on the hill"}


def delays(here: str, there: str, times: int) -> list[float]:
    """Return the delays in seconds, sorted."""
    found = []
    with (
        httpx2.Client(base_url=here, verify=False) as one,
        httpx2.Client(base_url=there, verify=False) as other,
    ):
        one.post("/api/v1/users", json=ACCOUNT)
        for _ in range(times):
            token = one.post("/api/v1/sessions", json=ACCOUNT).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            assert other.get("/api/v1/me", headers=headers).status_code == 200
            assert one.delete("/api/v1/me/sessions/current", headers=headers).status_code == 204
            ended = time.monotonic()
            while other.get("/api/v1/me", headers=headers).status_code == 200:
                time.sleep(0.002)
            found.append(time.monotonic() - ended)
    return sorted(found)


def measure(database: str, times: int, **settings: Any) -> None:
    settings |= {"DATABASE_URL": database, "SECRET_KEY": "f" * 40, "RATE_LIMITS": "off"}
    settings["PUBLIC_URL"] = "http://127.0.0.1:8000"  # the issuer of the tokens
    with ExitStack() as stack:
        nodes = []
        for _ in range(2):
            folder = Path(stack.enter_context(TemporaryDirectory()))
            nodes.append(stack.enter_context(serving.serving(folder, **settings)).url)
        found = delays(nodes[0], nodes[1], times)
    name = "with Valkey" if "REDIS_URL" in settings else "without"
    median, high, longest = found[len(found) // 2], found[len(found) * 95 // 100], found[-1]
    print(
        f"| {name} | {times} | {median * 1000:.0f} | {high * 1000:.0f} | {longest * 1000:.0f} |", flush=True
    )


def main() -> None:
    with servers.postgres_server() as postgres, servers.valkey() as valkey, TemporaryDirectory() as folder:
        env = {"DATABASE_URL": postgres.url, "SECRET_KEY": "f" * 40}
        migrated = serving.goodword(Path(folder), "migrate", **env)
        assert migrated.returncode == 0, migrated.stderr
        print("| | sign-outs | median ms | p95 ms | longest ms |\n|---|---|---|---|---|", flush=True)
        measure(postgres.url, 40, REDIS_URL=valkey.url)
        measure(postgres.url, 5)


if __name__ == "__main__":
    main()
