"""Another commit of the service, to be measured beside the working tree."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import machine


@contextmanager
def python_path(commit: str, folder: Path) -> Iterator[str]:
    """Check out the commit in the folder, and yield the PYTHONPATH that runs it with its own dependencies."""
    git = ["git", "-C", str(machine.ROOT)]
    subprocess.run([*git, "worktree", "add", "--quiet", "--detach", str(folder), commit], check=True)
    try:
        yield ":".join([str(folder / "src"), *_packages(folder)])
    finally:
        subprocess.run([*git, "worktree", "remove", "--force", str(folder)], check=True)


def _packages(folder: Path) -> list[str]:
    """Return the folder of the commit's packages, or nothing if they are those of the working tree."""
    lock = "requirements.lock"
    if (folder / lock).read_bytes() == (machine.ROOT / lock).read_bytes():
        return []
    python = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    subprocess.run(["make", "-C", str(folder), f"PYTHON={python}", "install"], check=True)
    return [str(next((folder / ".venv" / "lib").glob("python3.*/site-packages")))]
