"""Generate src/goodword_client/generated from ../openapi.json, with openapi-python-client and the templates here."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
DOCUMENT = FOLDER.parent / "openapi.json"
GENERATOR = FOLDER.parents[1] / ".venv" / "generator" / "bin" / "openapi-python-client"
"""From an environment of its own, with the packages of generator.lock: `make .venv/generator`."""
STATUSES = {
    "400": "BadRequest",
    "401": "Unauthorized",
    "403": "Forbidden",
    "404": "NotFound",
    "409": "Conflict",
}
STATUSES |= {"422": "Unprocessable", "429": "TooManyRequests", "503": "Unavailable"}


def answers_only(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without errors, which `error_codes` has, and without redirects of browsers."""
    paths = {}
    for path, methods in document["paths"].items():
        kept = {}
        for method, operation in methods.items():
            answers = {
                status: one for status, one in operation["responses"].items() if status.startswith("2")
            }
            if answers:
                kept[method] = operation | {"responses": answers}
        if kept:
            paths[path] = kept
    schemas = {
        name: schema
        for name, schema in document["components"]["schemas"].items()
        if "allOf" not in schema and name != "OAuthError"
    }
    return document | {"paths": paths, "components": {"schemas": schemas}, "webhooks": {}}


def error_codes(codes: dict[str, list[str]]) -> str:
    """Return a module with a class for each error code."""
    lines = ['"""An error class for each code of the API."""', "", "from goodword_client import errors", ""]
    names = {}
    for status, found in sorted(codes.items()):
        for code in found:
            if code not in names:
                names[code] = "".join(part.title() for part in code.split("_"))
                lines += ["", f"class {names[code]}(errors.{STATUSES.get(status, 'ApiError')}):"]
                lines += [f'    """The service answers with {status} and the code `{code}`."""', ""]
    lines += ["", "BY_CODE: dict[str, type[errors.ApiError]] = {"]
    lines += [f'    "{code}": {name},' for code, name in sorted(names.items())]
    return "\n".join([*lines, "}", ""])


def generate(output: Path) -> None:
    """Write the package. Exits with the output of the generator if it warns of anything."""
    document = json.loads(DOCUMENT.read_text())
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "openapi.json"
        source.write_text(json.dumps(answers_only(document)))
        command = [GENERATOR, "generate", "--path", source, "--overwrite", "--fail-on-warning"]
        command += ["--meta", "none", "--output-path", output, "--config", FOLDER / "generator.yaml"]
        command += ["--custom-template-path", FOLDER / "templates"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    (output / "error_codes.py").write_text(error_codes(document["x-error-codes"]))


if __name__ == "__main__":
    generate(FOLDER / "src" / "goodword_client" / "generated")
