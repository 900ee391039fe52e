"""Run examples/acme beside a served Goodword, as its README describes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving import ROOT, goodword, wait_for_port

SCOPES = "participants:read participants:write programs:read programs:write events:write rewards:write"
KINDS = ("reward.approved", "reward.canceled", "reward.reversed")
NO_SECRET = "whsec_" + 44 * "A"
LOOPBACK = {"LOOPBACK_WEBHOOKS": "on"}
"""For a Goodword that calls an Acme on this machine."""


def create_key(folder: Path) -> str:
    """Create the API key of Acme in the database of a Goodword that is served from this folder."""
    done = goodword(folder, "api-key", "create", "--name", "acme", "--scope", SCOPES)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def create_endpoint(folder: Path, port: int) -> str:
    """Create the webhook endpoint of Acme, and return its secret."""
    kinds = [argument for kind in KINDS for argument in ("--kind", kind)]
    done = goodword(folder, "webhooks", "create", f"http://127.0.0.1:{port}/webhooks", *kinds, **LOOPBACK)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[1]


@contextmanager
def acme(folder: Path, goodword_url: str, key: str, port: int, *, secret: str = NO_SECRET) -> Iterator[str]:
    """Run Acme until the block ends, and yield its address."""
    settings = {"GOODWORD_URL": goodword_url, "GOODWORD_KEY": key, "PORT": str(port), "REPEAT_SECONDS": "0.2"}
    settings["WEBHOOK_SECRET"] = secret
    with (folder / "acme.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, ROOT / "examples" / "acme" / "app.py"],
            cwd=folder,
            env={**os.environ, **settings},
            stdout=log,
            stderr=log,
        )
        try:
            wait_for_port(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)
