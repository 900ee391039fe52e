"""Distributions that are installed without the repository."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from serving import environment, free_port, wait_until_ready

UV = Path(sys.executable).with_name("uv")


def uv(*arguments: str | Path, folder: Path) -> None:
    subprocess.run([UV, "--quiet", *arguments], cwd=folder, check=True)


def install(distribution: Path, lock: Path, folder: Path) -> Path:
    """Install a wheel or an sdist with its locked dependencies, and return the command."""
    uv("venv", "--python", sys.executable, "venv", folder=folder)
    uv("pip", "install", "--python", "venv", "--require-hashes", "-r", lock, folder=folder)
    uv("pip", "install", "--python", "venv", "--no-deps", distribution, folder=folder)
    return folder / "venv" / "bin" / "goodword"


def run(
    program: Path, *arguments: str | Path, folder: Path, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of the installed program. `folder` has its data."""
    command, env = [program, *arguments], _variables(folder, settings)
    return subprocess.run(command, check=False, cwd=folder, env=env, capture_output=True, text=True)


@contextmanager
def served(program: Path, folder: Path, **settings: str) -> Iterator[str]:
    """Run `goodword serve` until the block ends, and yield its URL. It may not log a traceback."""
    port = free_port()
    url, log = f"http://127.0.0.1:{port}", folder / f"{port}.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [program, "serve", "--port", str(port)],
            cwd=folder,
            env=_variables(folder, {"PUBLIC_URL": url, **settings}),
            stdout=out,
            stderr=out,
            text=True,
        )
        try:
            wait_until_ready(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=30)
    assert "Traceback" not in log.read_text()


def call(url: str, body: Any = None, *, token: str = "") -> Any:
    """Return the JSON of a response. Raises `HTTPError` for an error."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    with urlopen(Request(url, None if body is None else json.dumps(body).encode(), headers)) as answer:
        return json.loads(answer.read())


def _variables(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment(folder, **settings).items() if name != "PYTHONPATH"}
