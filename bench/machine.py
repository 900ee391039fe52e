"""What the machine says about processes and about itself."""

import os
import platform
import re
import subprocess
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")
ROOT = Path(__file__).parent.parent


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def workers(parent: int) -> list[int]:
    """The processes of a served application that answer: those that uvicorn spawned, or itself."""
    spawned = [pid for pid in children(parent) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return spawned or [parent]


def cpu(pids: list[int]) -> float:
    """Seconds of CPU that these processes have used, in their own code and in the kernel."""
    return sum(sum(map(int, _stat(pid)[11:13])) for pid in pids) * TICK


def cpu_of_family(parent: int) -> float:
    """The same of a parent and its children, those that have ended too: PostgreSQL has one for each client."""
    ended = sum(map(int, _stat(parent)[13:15])) * TICK
    return ended + cpu([parent, *children(parent)])


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # it ended this moment, and its parent has its time
        return ["0"] * 20


def memory(pid: int) -> tuple[float, float]:
    """MiB in memory, and MiB with what is shared divided by those who share it (RSS, PSS)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, pss = (re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE) for name in ("Rss", "Pss"))
    assert rss is not None, "the kernel tells both"
    assert pss is not None, "the kernel tells both"
    return int(rss[1]) / 1024, int(pss[1]) / 1024


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(pid: int) -> float:
    """The most MiB in memory since `forget_peak`."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def described() -> str:
    """The machine, what runs on it, and what is measured: nothing that names its place."""
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    total = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    commit = _git("rev-parse", "--short", "HEAD")
    # The results are written by the run itself.
    dirty = " with changes" if _git("status", "--porcelain", "--", ":!bench/RESULTS*.md") else ""
    return (
        f"{len(os.sched_getaffinity(0))} cores ({found[1] if found else platform.machine()}), "
        f"{int(total[1]) / 2**20 if total else 0:.0f} GiB, Linux, Python {platform.python_version()}; "
        f"commit {commit}{dirty}"
    )


def load() -> str:
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
