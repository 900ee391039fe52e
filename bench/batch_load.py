"""Measure how long a product takes to load its users by `POST /participants/batch`, on SQLite and on PostgreSQL.

    make bench-load PEOPLE=1000000

The service runs as in production, with its rate limits. A client sends several batches of 100 people at a time, with an
API key. With `--codes`, each person gets a code.
"""

import argparse
import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import httpx2

import machine
from servers import postgres_server
from serving import GOODWORD, environment, free_port
from stack import POSTGRES, SECRET

BATCH, AT_ONCE, WORKERS = 100, 4, 2
READY_SECONDS = 60


@dataclass
class Load:
    """The outcome of a load."""

    statuses: dict[int, int] = field(default_factory=dict)
    """How many people by the status of their result."""
    seconds: float = 0.0
    peak: float = 0.0
    """MiB of memory of all processes of the service together (PSS)."""


def person(number: int) -> dict[str, Any]:
    """Return a person as a product has them."""
    return {
        "external_id": f"customer-{number}",
        "email": f"customer{number}@example.org",
        "first_name": "Ann",
        "last_name": f"Example{number}",
        "signed_up_at": f"2026-0{number % 9 + 1}-1{number % 10}T12:00:00Z",
    }


@contextmanager
def service(folder: Path, settings: dict[str, str]) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Run the service and yield its URL, its process and the environment of its commands."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    given = environment(folder, PUBLIC_URL=url, SECRET_KEY=SECRET, LOG_FORMAT="json", **settings)
    workers = str(WORKERS if "DATABASE_URL" in settings else 1)
    command = [str(GOODWORD), "serve", "--migrate", "--port", str(port), "--workers", workers]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=given, cwd=folder, stdout=log, stderr=log)
    try:
        _wait_until_ready(url)
        yield url, process.pid, given
    finally:
        process.terminate()
        process.wait(60)


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx2.get(f"{url}/readyz").status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.2)
    raise TimeoutError("the service did not become ready")


def api_key(folder: Path, given: dict[str, str]) -> str:
    scopes = ("participants:write", "participants:read", "programs:write")
    command = [str(GOODWORD), "api-key", "create", "--name", "load"]
    command += [word for scope in scopes for word in ("--scope", scope)]
    done = subprocess.run(command, env=given, cwd=folder, capture_output=True, text=True, check=True)
    return next(word for word in done.stdout.split() if word.startswith("gwk_"))


async def load(url: str, key: str, pid: int, people: int, *, with_codes: bool) -> Load:
    """Load the people and return what happened."""
    found, numbers = Load(), iter(range(0, people, BATCH))
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(base_url=f"{url}/api/v1", headers=headers, timeout=60) as client:
        terms = {"code_lifetime": 365 * 86_400 if with_codes else None}
        (await client.patch("/programs/default", json=terms)).raise_for_status()

        async def send() -> None:
            for first in numbers:
                items = [person(number) for number in range(first, min(first + BATCH, people))]
                answer = await client.post("/participants/batch", json={"items": items})
                answer.raise_for_status()
                for item in json.loads(answer.content)["items"]:
                    found.statuses[item["status"]] = found.statuses.get(item["status"], 0) + 1

        async def watch() -> None:
            while True:
                found.peak = max(found.peak, machine.memory_of_all(pid))
                await asyncio.sleep(1)

        watching = asyncio.create_task(watch())
        began = time.monotonic()
        await asyncio.gather(*(send() for _ in range(AT_ONCE)))
        found.seconds = time.monotonic() - began
        watching.cancel()
    return found


async def rows(url: str) -> int:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return int(await connection.fetchval("SELECT count(*) FROM users WHERE external_id IS NOT NULL"))
    finally:
        await connection.close()


def measure(database: str, people: int, *, with_codes: bool) -> str:
    """Load the people into an empty installation, and return a line about it."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        if database == "SQLite":
            found = _load_into(folder, {}, people, with_codes=with_codes)
        else:
            with postgres_server(*POSTGRES) as postgres:
                found = _load_into(folder, {"DATABASE_URL": postgres.url}, people, with_codes=with_codes)
                assert asyncio.run(rows(postgres.url)) == people
    created = found.statuses.get(201, 0)
    assert created == people, found.statuses
    codes = "with" if with_codes else "without"
    return (
        f"| {database} | {people:,} | {codes} | {found.seconds / 60:.1f} | {people / found.seconds:,.0f} "
        f"| {found.peak:.0f} |"
    )


def _load_into(folder: Path, settings: dict[str, str], people: int, *, with_codes: bool) -> Load:
    with service(folder, settings) as (url, pid, given):
        return asyncio.run(load(url, api_key(folder, given), pid, people, with_codes=with_codes))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--codes", action="store_true", help="give each person a code")
    parser.add_argument("--only", choices=("SQLite", "PostgreSQL"))
    arguments = parser.parse_args()
    print("| database | people | codes | minutes | people/s | peak memory, MiB |", flush=True)
    print("|---|---|---|---|---|---|", flush=True)
    for one in [arguments.only] if arguments.only else ["SQLite", "PostgreSQL"]:
        print(measure(one, arguments.people, with_codes=arguments.codes), flush=True)
