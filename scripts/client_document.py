"""Write clients/openapi.json, the OpenAPI document without examples, from which the clients are generated.

It has a line for each path and each component, in a stable order: branches that add operations can be merged.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from goodword.app import create_app
from goodword.config.settings import Settings

PAGE = Path(__file__).parent.parent / "clients" / "openapi.json"
CODES = "x-error-codes"


def slim(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without examples, and with all error codes by status."""
    found = _without_examples(document)
    found[CODES] = {status: sorted(codes) for status, codes in sorted(_codes(document).items())}
    return found


def text(document: dict[str, Any]) -> str:
    """Return the document as JSON, with a line for each path and each component."""
    paths, components = document["paths"], document["components"]
    rest = {key: value for key, value in document.items() if key not in ("paths", "components")}
    parts = [f" {_line(key)}: {_line(value)}" for key, value in rest.items()]
    kinds = [f"  {_line(kind)}: {_lines(found, 3)}" for kind, found in sorted(components.items())]
    parts += [f' "components": {{\n{_joined(kinds)}\n }}', f' "paths": {_lines(paths, 2)}']
    return f"{{\n{_joined(sorted(parts))}\n}}\n"


def _lines(values: dict[str, Any], depth: int) -> str:
    lines = [f"{' ' * depth}{_line(key)}: {_line(value)}" for key, value in sorted(values.items())]
    return f"{{\n{_joined(lines)}\n{' ' * (depth - 1)}}}"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _joined(lines: list[str]) -> str:
    return ",\n".join(lines)


def _without_examples(value: Any, *, are_fields: bool = False) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_examples(one, are_fields=key == "properties" and not are_fields)
            for key, one in value.items()
            if are_fields or key not in ("example", "examples")
        }
    return [_without_examples(one) for one in value] if isinstance(value, list) else value


def _codes(document: dict[str, Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    responses = [
        *document["components"]["responses"].values(),
        *(
            response
            for methods in document["paths"].values()
            for operation in methods.values()
            for response in operation["responses"].values()
        ),
    ]
    for response in responses:
        content = response.get("content", {}).get("application/problem+json", {})
        for code, example in content.get("examples", {}).items():
            found.setdefault(str(example["value"]["status"]), set()).add(code)
    return found


if __name__ == "__main__":
    app = create_app(Settings(secret_key=SecretStr("no secret: the document contains none of it")))
    PAGE.write_text(text(slim(app.openapi())))
