"""The OpenAPI document, checked by Redocly CLI from npm."""

import json
import os
import shutil
import subprocess
from urllib.request import urlopen

LINTER = "@redocly/cli@2.77.0"


def test_the_document_has_no_fault(served, tmp_path):
    npx = shutil.which("npx")
    assert npx, "this test needs npm"
    with urlopen(f"{served.url}/openapi.json") as answer:
        (tmp_path / "openapi.json").write_bytes(answer.read())

    checked = subprocess.run(
        [npx, "--yes", LINTER, "lint", "openapi.json", "--extends=recommended", "--format=json"],
        cwd=tmp_path,
        env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.stdout.lstrip().startswith("{"), checked.stderr
    found = json.loads(checked.stdout)["problems"]
    assert [(one["ruleId"], one["message"], one["location"][0].get("pointer")) for one in found] == []
