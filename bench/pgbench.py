"""The limit of writes: their statements alone, sent by pgbench."""

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import machine
from row import Result
from stack import Stack
from wrk import CONNECTIONS

HERE = Path(__file__).parent


def pgbench(
    stack: Stack, script: str, codes: int, seconds: float, *, url: str = "", clients: int = CONNECTIONS
) -> Result:
    """Run the statements of `script`, from as many clients as wrk would be."""
    place = urlsplit(url or stack.postgres.url)
    command = [str(stack.postgres.programs / "pgbench"), "-h", "127.0.0.1", "-p", str(place.port)]
    command += ["-U", "postgres", "--no-vacuum", "-M", "prepared", "-c", str(clients), "-j", "1"]
    command += ["-T", str(max(1, round(seconds))), "-D", f"codes={codes}"]
    command += ["-f", str(HERE / f"{script}.pgbench.sql"), place.path[1:]]
    before = machine.cpu(stack.postgres.pid)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rate = re.search(r"tps = ([\d.]+)", done.stdout)
    count = re.search(r"actually processed: (\d+)", done.stdout)
    if done.returncode or rate is None or count is None:
        raise SystemExit(f"pgbench: {done.stderr}")
    used = machine.cpu(stack.postgres.pid) - before
    return Result(float(rate[1]), database_cpu=used / max(1, int(count[1])) * 1e6)
