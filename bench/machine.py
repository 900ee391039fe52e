"""What the machine says about processes and about itself."""

import os
import platform
import re
import subprocess
from pathlib import Path

from raw_http import family

TICK = 1 / os.sysconf("SC_CLK_TCK")
ROOT = Path(__file__).parent.parent


def cpu(pid: int) -> float:
    """Return the seconds of CPU of a process and its children, of those that have ended too.

    PostgreSQL has a process for each client.
    """
    return sum(int(value) for one in family(pid) for value in _stat(one)[11:15]) * TICK


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):  # it ended this moment, and its parent has its time
        return ["0"] * 20


def memory(pid: int) -> tuple[float, float]:
    """Return the MiB in memory, and the MiB with shared memory divided by the processes that share it (RSS, PSS)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, pss = (re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE) for name in ("Rss", "Pss"))
    assert rss is not None, "the kernel reports both"
    assert pss is not None, "the kernel reports both"
    return int(rss[1]) / 1024, int(pss[1]) / 1024


def memory_of_all(pid: int) -> float:
    """Return the MiB of a process and all that descend from it (PSS)."""
    return sum(memory(one)[1] for one in family(pid))


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(pid: int) -> float:
    """Return the highest MiB in memory since `forget_peak`."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def described() -> str:
    """Return the machine, its software and the commit, without anything that names a place."""
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    total = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    commit = git("rev-parse", "--short", "HEAD")
    # The results are written by the run itself.
    dirty = " with changes" if git("status", "--porcelain", "--", ":!bench/RESULTS*.md") else ""
    return (
        f"{len(os.sched_getaffinity(0))} cores ({found[1] if found else platform.machine()}), "
        f"{int(total[1]) / 2**20 if total else 0:.0f} GiB, Linux, Python {platform.python_version()}; "
        f"commit {commit}{dirty}"
    )


def load() -> str:
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
