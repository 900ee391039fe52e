"""A Prometheus with the configuration of deploy/prometheus."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from serving import ROOT, free_port, wait_for_port

TOKEN = "a token for Prometheus"


@contextmanager
def prometheus(folder: Path, nodes: Sequence[str]) -> Iterator[str]:
    """Run Prometheus with the configuration of deploy/prometheus for these nodes. Yield its URL."""
    source = ROOT / "deploy" / "prometheus"
    given = yaml.safe_load((source / "prometheus.yml").read_text())
    (folder / "token").write_text(TOKEN)
    job = given["scrape_configs"][0]
    job["authorization"]["credentials_file"] = str(folder / "token")
    job["static_configs"] = [{"targets": nodes}]
    given |= {"scrape_configs": [job], "rule_files": [str(source / "goodword.rules.yml")]}
    given["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(given))
    port = free_port()
    options = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": f"127.0.0.1:{port}",
    }
    with (folder / "log").open("w") as log:
        command = ["prometheus", *(f"--{name}={value}" for name, value in options.items())]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def query(url: str, expression: str, **window: float) -> list[dict[str, Any]]:
    """Return the series of an expression: now, or with `start`, `end` and `step` over that time."""
    path = "query_range" if window else "query"
    with urlopen(f"{url}/api/v1/{path}?{urlencode({'query': expression, **window})}") as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found
