"""Memory and response times of one process under many hostile connections of each kind.

    PYTHONPATH=tests .venv/bin/python bench/hostile_connections.py [--connections 1000] [--seconds 6] [--only KIND]

Starts `goodword serve` on SQLite for each kind and attacks it over loopback from another process. Each connection
sends at most `MOST_SENT` bytes and is closed after `--seconds`. Prints a table: the highest resident memory above
the memory before, for each connection, and the response times of another client meanwhile. "no attack" shows
what the machine does by itself: on one that is shared with other work, compare the response times with it.
"""

import argparse
import asyncio
import multiprocessing
import os
import resource
import statistics
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import machine
import table
from raw_http import HOST, request, say
from row import Goal
from serving import serving

MOST_SENT = 512 * 1024
PIECE = 16 * 1024
OPENED = 0.004
"""Seconds between two connections: 250 a second. Much faster, any 1,000 requests keep a process busy for a second."""
PAUSE = 0.3
"""Seconds between two pieces of a connection. All together send 50 MiB a second: the attacker must leave CPU for the
client that is measured."""
MEMORY = Goal(64, 32, " KiB", more=False)
P99 = Goal(100, 50, " ms", more=False)

POST = ("Content-Type: application/json", "Transfer-Encoding: chunked")
POSTED = request(*POST, method="POST", target="/api/v1/users", close=False).encode()
UNREAD = request(*POST, method="POST", target="/nowhere", close=False).encode()
HEAD = f"GET /livez HTTP/1.1\r\n{HOST}".encode()
FULL = 65_535
DECLARED = request(POST[0], f"Content-Length: {FULL + 1}", method="POST", target="/api/v1/users", close=False)
UPGRADE = request("Connection: upgrade", "Upgrade: h2c", close=False).encode()
CHUNK = b"3f00\r\n" + b" " * 0x3F00 + b"\r\n"

NONE = "no attack"
KINDS: dict[str, tuple[bytes, bytes]] = {
    NONE: (b"", b""),
    "silent": (b"", b""),
    "silent after an answer": (request(close=False).encode(), b""),
    "half a head, then silent": (HEAD + b"X: " + b"x" * 30_000, b""),
    "half a head of short fields": (HEAD + b"a: b\r\n" * 63, b""),
    "endless head, one field": (HEAD + b"X: ", b"x" * PIECE),
    "endless head, short fields": (HEAD, b"a: b\r\n" * (PIECE // 6)),
    "endless target": (b"GET /", b"x" * PIECE),
    "endless trailers": (POSTED + b"0\r\n", b"a: b\r\n" * (PIECE // 6)),
    "endless trailers, unread": (UNREAD + b"0\r\n", b"a: b\r\n" * (PIECE // 6)),
    "endless chunk extension": (POSTED + b"1;", b"x" * PIECE),
    "endless body": (POSTED, CHUNK),
    "endless body, unread": (UNREAD, CHUNK),
    "body of 1 byte chunks": (POSTED, b"1\r\n \r\n" * (PIECE // 6)),
    "body of 64 KiB but one byte": (DECLARED.encode() + b" " * FULL, b""),
    "refused, then endless": (b"G@T\r\n", b"x" * PIECE),
    "refused, then silent": (b"G@T\r\n\r\n", b""),
    "pipelined": (b"", request(close=False).encode() * 200),
    "upgrades": (b"", UPGRADE * 150),
    "does not read": (request(target="/openapi.json", close=False).encode() * 8, b""),
}
READS_NOTHING = {"does not read"}


async def _attack(url: str, kind: str, seconds: float) -> None:
    """Open one connection, send what this kind sends, and hold it."""
    if kind == NONE:
        await asyncio.sleep(seconds)
        return
    begin, piece = KINDS[kind]
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=4096)
    if kind in READS_NOTHING:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(seconds):
            writer.write(begin)
            await writer.drain()
            sent = len(begin)
            while piece and sent < MOST_SENT and not reader.at_eof():
                writer.write(piece)
                await writer.drain()
                sent += len(piece)
                await asyncio.sleep(PAUSE)
            await asyncio.Event().wait()
    writer.transport.abort()


def attack(url: str, kind: str, count: int, seconds: float) -> None:
    async def run() -> None:
        attacks = []
        for _ in range(count):
            attacks.append(asyncio.create_task(_attack(url, kind, seconds)))
            await asyncio.sleep(OPENED)
        await asyncio.gather(*attacks, return_exceptions=True)

    os.nice(5)
    asyncio.run(run())


def measure(kind: str, count: int, seconds: float) -> tuple[float, list[float], int]:
    """Return KiB a connection, and the seconds of each request of another client, and how many failed."""
    with TemporaryDirectory() as folder, serving(Path(folder), DOCS="on", LOG_REQUESTS="changes") as service:
        for _ in range(200):
            say(service.url, request())
        for start in (POSTED + b"0\r\n\r\n", request(target="/openapi.json").encode()):
            say(service.url, start, patience=1)
        pid = service.process.pid
        before = machine.memory(pid)[0]
        machine.forget_peak(pid)
        attackers = multiprocessing.get_context("spawn").Process(
            target=attack, args=(service.url, kind, count, seconds)
        )
        attackers.start()
        waits, refused = [], 0
        while attackers.is_alive():
            asked = time.perf_counter()
            refused += say(service.url, request()).statuses != [200]
            waits.append(time.perf_counter() - asked)
            time.sleep(0.005)
        attackers.join()
        return (machine.peak(pid) - before) * 1024 / count, waits, refused


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--connections", type=int, default=1000)
    options.add_argument("--seconds", type=float, default=6)
    options.add_argument("--only", default="")
    given = options.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 20_000)), hard))
    rows, failed = [], False
    for kind in KINDS:
        if given.only not in kind:
            continue
        memory, waits, refused = measure(kind, given.connections, given.seconds)
        p50, p99 = (statistics.quantiles(waits, n=100)[at] * 1000 for at in (49, 98))
        reached = [MEMORY.reached(memory), P99.reached(p99)]
        failed = failed or "no" in reached or refused > 0
        figures = [f"{memory:.1f}", reached[0], f"{p50:.1f}", f"{p99:.1f}", reached[1]]
        rows.append([kind, *figures, str(len(waits)), str(refused)])
        print(*rows[-1], flush=True)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    print(f"\n{given.connections} connections of each kind; ulimit -n {files}; {machine.described()}\n")
    print(table.render(rows, ("kind", "KiB each", "≤ 64", "p50 ms", "p99 ms", "≤ 100", "requests", "failed")))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
