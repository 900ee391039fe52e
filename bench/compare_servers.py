"""The servers that could serve us, by what hostile clients can do to each: the table of docs/decisions/0015.

    python bench/compare_servers.py COMMAND…

Starts each of them on the service, one process on SQLite, and prints a row for each. `{port}` in a COMMAND of
your own (quoted as one word) is the port it must listen on; GOODWORD_… settings are in its environment.
"""

import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from raw_http import HOST, Heard, connect, connections, family, hear, memory_of, request, say
from serving import GOODWORD, environment, free_port, goodword, wait_for_port

BIN = Path(sys.executable).parent
UVICORN = f"{BIN}/uvicorn goodword.app:from_environment --factory --port {{port}} --no-access-log --no-server-header"
OURS = {
    "goodword serve": f"{GOODWORD} serve --port {{port}}",
    "uvicorn, httptools": f"{UVICORN} --http httptools --timeout-keep-alive 15",
    "uvicorn, h11": f"{UVICORN} --http h11 --timeout-keep-alive 15",
}
SECONDS = 5
HUGE = 10 * 1024 * 1024


def _told(heard: Heard) -> str:
    return f"{'+'.join(map(str, heard.statuses)) or 'nothing'}{', closed' if heard.closed else ', open'}"


def _header(size: int) -> Callable[[str, int], str]:
    def measure(url: str, pid: int) -> str:
        before = memory_of(pid)
        heard = say(url, f"GET /livez HTTP/1.1\r\n{HOST}X: ", b"x" * size, "\r\n\r\n", patience=3)
        grown = max(memory_of(pid) - before, 0) / 1024 / 1024
        return f"{_told(heard)}, +{grown:.1f} MiB"

    return measure


def _half_heads(url: str, _pid: int) -> str:
    with connections(url, 200) as opened:
        for one in opened:
            one.sendall(f"GET /livez HTTP/1.1\r\n{HOST}X-Half: ".encode())
        began, waits = time.monotonic(), []
        while time.monotonic() < began + 2:
            asked = time.perf_counter()
            say(url, request())
            waits.append(time.perf_counter() - asked)
        heard = [hear(one, patience=max(12 - (time.monotonic() - began), 0.01)) for one in opened]
        closed = sum(one.closed for one in heard)
        took = time.monotonic() - began
        return f"{closed} closed in {took:.1f} s; p99 {statistics.quantiles(waits, n=100)[-1] * 1000:.1f} ms"


def _slow_body(url: str, _pid: int) -> str:
    lines = ("Content-Type: application/json", "Content-Length: 60")
    began = time.monotonic()
    with connect(url) as connection:
        connection.sendall(request(*lines, method="POST", target="/api/v1/users", close=False).encode())
        stop = threading.Event()

        def drip() -> None:
            try:
                while not stop.wait(1):
                    connection.sendall(b" ")
            except OSError:
                pass

        threading.Thread(target=drip, daemon=True).start()
        heard = hear(connection, patience=12)
        stop.set()
    return f"{_told(heard)} after {time.monotonic() - began:.1f} s"


def _bytes(*pieces: bytes | str) -> Callable[[str, int], str]:
    return lambda url, _pid: _told(say(url, *pieces, patience=3))


def _idle(url: str, pid: int) -> str:
    before, served = memory_of(pid), 0
    count = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
    opened: list[socket.socket] = []
    statuses: dict[str, int] = {}
    try:
        for _ in range(count):
            try:
                one = connect(url, timeout=5)
                opened.append(one)
                one.sendall(request(close=False).encode())
            except OSError:
                statuses["refused"] = statuses.get("refused", 0) + 1
        for one in opened:
            heard = hear(one, patience=5, enough=b"}")
            status = str(heard.statuses[0]) if heard.statuses else "nothing"
            statuses[status] = statuses.get(status, 0) + 1
        grown = (memory_of(pid) - before) / 1024 / 1024
        for one in opened[:100]:
            try:
                one.sendall(request(close=False).encode())
                served += hear(one, patience=2, enough=b"}").statuses == [200]
            except OSError:
                pass
    finally:
        for one in opened:
            one.close()
    return f"{json.dumps(statuses)}; of the first 100 then {served} served; +{grown:.0f} MiB"


def _throughput(url: str, pid: int) -> str:
    before = _cpu(pid)
    said = subprocess.run(
        ["wrk", "-t1", "-c16", f"-d{SECONDS}s", f"{url}/livez"], capture_output=True, text=True, check=True
    ).stdout
    count = next(int(line.split()[0]) for line in said.splitlines() if " requests in " in line)
    return f"{count / SECONDS:.0f}, {(_cpu(pid) - before) / count * 1e6:.0f} µs of CPU"


def _cpu(pid: int) -> float:
    """Seconds of a process, its threads and its children."""
    ticks = 0
    for one in family(pid):
        ticks += sum(
            int(value) for value in Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11:13]
        )
    return ticks / os.sysconf("SC_CLK_TCK")


MANY = [f"X-{number}: x" for number in range(100)]
JSON = ("Content-Type: application/json",)
MEASURES: dict[str, Callable[[str, int], str]] = {
    "requests a second": _throughput,
    "header of 20 KiB": _header(20 * 1024),
    "token of 2 MB": _header(2 * 1024 * 1024),
    "header of 10 MB": _header(HUGE),
    "100 fields": _bytes(request(*MANY)),
    "`G@T`": _bytes(request(method="G@T")),
    "unknown method": _bytes(request(method="PATCHES")),
    "length and chunks": _bytes(
        request(
            *JSON, "Content-Length: 4", "Transfer-Encoding: chunked", method="POST", target="/api/v1/users"
        ),
        "0\r\n\r\n",
    ),
    "two lengths": _bytes(
        request(*JSON, "Content-Length: 2", "Content-Length: 4", method="POST", target="/api/v1/users"),
        "{}{}",
    ),
    "200 half heads": _half_heads,
    "a byte a second": _slow_body,
    "10,000 idle": _idle,
}


def measure(command: str, folder: Path) -> dict[str, str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environ = environment(folder, PUBLIC_URL=url, LOG_REQUESTS="changes") | {
        "PYTHONPATH": os.environ["PYTHONPATH"]
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command.format(port=port).split(), cwd=folder, env=environ, stdout=log, stderr=log, text=True
        )
    try:
        wait_for_port(port)
        time.sleep(1)
        _throughput(url, process.pid)  # warm
        found = {}
        wanted = os.environ.get("BENCH_ONLY", "")
        for name, one in MEASURES.items():
            if wanted not in name:
                continue
            try:
                found[name] = one(url, process.pid)
            except Exception as error:  # noqa: BLE001  one that falls over is a finding
                found[name] = f"{type(error).__name__}"
            print(f"  {name}: {found[name]}", flush=True)
        return found
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 25_000), hard))
    with TemporaryDirectory() as name:
        folder = Path(name)
        assert goodword(folder, "config").returncode == 0
        for title, command in (OURS | {one: one for one in sys.argv[1:]}).items():
            print(title, flush=True)
            measure(command, folder)


if __name__ == "__main__":
    main()
