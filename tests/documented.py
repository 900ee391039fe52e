"""Run the commands of a document, and compare their answers with those that it shows."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from serving import GOODWORD, Served

BLOCK = re.compile(r"```(sh|json|text)\n(.*?)```", re.DOTALL)
DOCUMENTED_URL = "http://127.0.0.1:8000"
VARYING = {"id": "<id>", "request_id": "<id>"}
VARYING |= dict.fromkeys(("access_token", "refresh_token", "next_cursor", "secret"), "<token>")
VARYING |= dict.fromkeys(("created_at", "activated_at", "confirmed_at", "expires_at", "signed_up_at"), "<t>")
VARYING |= dict.fromkeys(("occurred_at", "received_at", "available_at"), "<t>")
CODE_OR_TOUCH = re.compile(r"\b[0-9A-Z]{10}\b|\b[0-9a-f]{8}-[0-9a-f-]{27}\b")


def masked(value: Any) -> Any:
    """Return the answer without what differs from one time to the next."""
    if isinstance(value, dict):
        return {
            key: VARYING[key] if key in VARYING and item is not None else masked(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [masked(item) for item in value]
    return CODE_OR_TOUCH.sub("<made>", value) if isinstance(value, str) else value


def steps(page: str) -> list[tuple[str, str]]:
    """Return the commands of each shell block of a page, and the answer after it, or an empty text."""
    blocks = [*BLOCK.findall(page), ("sh", "")]
    return [
        (text, answer if after != "sh" else "")
        for (kind, text), (after, answer) in pairwise(blocks)
        if kind == "sh"
    ]


def run(
    commands: Sequence[str], folder: Path, served: Served, environment: Mapping[str, str], path: str
) -> list[str]:
    """Run the commands in one shell and return what each printed."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "goodword").symlink_to(GOODWORD)
    script = "".join(text + "\nprintf '\\036'\n" for text in commands)
    done = subprocess.run(
        ["/bin/sh", "-e"],
        input=script.replace(DOCUMENTED_URL, served.url),
        env={**environment, "PATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.replace(served.url, DOCUMENTED_URL).split("\x1e")[:-1]


def read(answer: str) -> Any:
    """Return an answer without what differs from one time to the next."""
    try:
        return masked(json.loads(answer))
    except ValueError:
        return masked(answer.strip())


def programs(folder: Path, *, real_curl: bool) -> str:
    """Return the PATH of a machine with Python, curl and a few tools of POSIX.

    Our stand-in for curl is there if the machine has none.
    """
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    (bin_folder / "python3").symlink_to(sys.executable)
    for tool in ("cut", "grep", "sleep"):
        (bin_folder / tool).symlink_to(str(shutil.which(tool)))
    found = shutil.which("curl") if real_curl else None
    if found:
        (bin_folder / "curl").symlink_to(found)
    else:
        source = (Path(__file__).parent / "curl.py").read_text()
        (bin_folder / "curl").write_text(f"#!{sys.executable}\n{source}")
        (bin_folder / "curl").chmod(0o755)
    return str(bin_folder)
