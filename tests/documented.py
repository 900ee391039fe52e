"""Run the commands of a document, and compare their answers with those that it shows."""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

VARYING = {"id": "<id>", "request_id": "<id>", "access_token": "<token>"} | dict.fromkeys(
    ("created_at", "activated_at", "confirmed_at", "expires_at", "signed_up_at"), "<t>"
)
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


def programs(folder: Path, *, real_curl: bool) -> str:
    """Return the PATH of a machine with Python and curl. Our stand-in for curl is there if the machine has none."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    (bin_folder / "python3").symlink_to(sys.executable)
    found = shutil.which("curl") if real_curl else None
    if found:
        (bin_folder / "curl").symlink_to(found)
    else:
        source = (Path(__file__).parent / "curl.py").read_text()
        (bin_folder / "curl").write_text(f"#!{sys.executable}\n{source}")
        (bin_folder / "curl").chmod(0o755)
    return str(bin_folder)
