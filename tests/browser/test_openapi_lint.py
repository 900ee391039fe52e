"""The OpenAPI document, checked by Redocly CLI and Spectral from npm, by the rules in the root of the repository."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parents[2]
REDOCLY = "@redocly/cli@2.77.0"
SPECTRAL = "@stoplight/spectral-cli@6.16.0"


@pytest.fixture
def document(served, tmp_path) -> Path:
    path = tmp_path / "openapi.json"
    with urlopen(f"{served.url}/openapi.json") as answer:
        path.write_bytes(answer.read())
    return path


def lint(*command: str) -> Any:
    """Run a linter of npm, and return the JSON that it prints."""
    npx = shutil.which("npx")
    assert npx, "this test needs npm"
    environment = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    checked = subprocess.run(
        [npx, "--yes", *command], env=environment, capture_output=True, text=True, check=False
    )
    assert checked.stdout.lstrip().startswith(("{", "[")), checked.stderr
    return json.loads(checked.stdout)


def test_redocly_finds_nothing(document):
    found = lint(REDOCLY, "lint", str(document), f"--config={ROOT / 'redocly.yaml'}", "--format=json")

    assert [
        (one["ruleId"], one["message"], one["location"][0].get("pointer")) for one in found["problems"]
    ] == []


def test_spectral_finds_nothing(document):
    found = lint(
        SPECTRAL, "lint", str(document), f"--ruleset={ROOT / '.spectral.yaml'}", "--format=json", "--quiet"
    )

    assert [(one["code"], one["message"], one["path"]) for one in found] == []
